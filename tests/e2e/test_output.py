"""Output of plugins' code goes into the log, whole and in order; and programs can read the
log."""
import json
import os
import signal

from harness import LAB, PLUGINS, HostTest, eventually, main
from supervisor_case import CRASHES, SupervisorTest

PRINTS = str(PLUGINS / "libprints.so")


class Output(SupervisorTest):
    def start(self, *arguments, **options):
        return super().start(*arguments, **{"plugin": PRINTS, **options})

    def print(self, host, how):
        self.assertEqual(host.post(f"/print/{how}", "").body, b"printed")

    def test_what_a_handler_prints_comes_into_the_log_line_by_line(self):
        for arguments in ((), ("--no-supervisor",)):
            host = self.start(*arguments)
            for how in ("stdout", "stderr", "cout", "pieces", "child"):
                self.print(host, how)
            for line in ("INFO  [host] one stream=stdout", 'INFO  [host] two "quoted" stream=stdout',
                         "WARN  [host] it is odd stream=stderr", "INFO  [host] streamed 1 stream=stdout",
                         "INFO  [host] in pieces stream=stderr", "INFO  [host] a child prints stream=stdout"):
                host.log_line(line)
            self.assertEqual(host.stop(), 0)
            self.assertEqual(host.stderr().count("a child prints"), 1)
            self.assertEqual([line for line in host.stdout_lines if "POST /print/" not in line and "ready" not in line],
                             [])

    def test_each_line_is_a_record_where_the_log_is_json(self):
        host = self.start("--log-format", "json")
        self.print(host, "stdout")
        record = json.loads(host.log_line("quoted"))
        self.assertEqual({name: record[name] for name in ("level", "component", "message", "stream")},
                         {"level": "info", "component": "host", "message": 'two "quoted"', "stream": "stdout"})

    def test_what_is_printed_at_the_start_and_at_the_end_does_too(self):
        host = self.start()
        host.log_line("the description prints stream=stdout")
        host.log_line("the start prints stream=stdout")
        self.assertEqual(host.stop(), 0)
        self.assertIn("the end prints stream=stdout", host.stderr())

    def test_a_runners_lines_are_there_when_they_have_been_printed(self):
        host = self.start()
        self.assertEqual(host.post("/run", [[1]]).json(), [[1]])
        host.log_line("a runner prints service=prints runner=printer worker=0")

    def test_the_last_lines_before_a_crash_are_not_lost(self):
        host = self.start()
        _, _, old = self.crash(host, "print/crash")
        report = host.log_line("crashed by SIGSEGV")
        lines = host.stderr_lines[:host.stderr_lines.index(report)]
        for words in ("the last line stream=stdout", "and its unfinished neighbour stream=stderr"):
            self.assertEqual(len([line for line in lines if words in line]), 1, lines)
        eventually(lambda: host.serving_pids() not in ([], [old]) and host.get("/readyz").status == 200)

    def test_the_last_words_before_an_exit_are_not_lost(self):
        host = self.start()
        _, _, old = self.crash(host, "print/exit")
        report = host.log_line("exited with code 3")
        lines = host.stderr_lines[:host.stderr_lines.index(report)]
        self.assertTrue(any("the last words, which have no end" in line for line in lines), lines)
        eventually(lambda: host.serving_pids() not in ([], [old]) and host.get("/readyz").status == 200)

    def test_one_that_prints_without_end_costs_nobody_anything(self):
        host = self.start()
        self.print(host, "flood")
        self.print(host, "stdout")
        host.stop()
        self.assertLess(host.stderr().count("more and more of it"), 1000)
        self.assertRegex(host.stderr(), r"\d+ lines of output were left out stream=stdout")
        deaf = self.start(deaf=True, ready=False).find_port()
        eventually(lambda: deaf.get("/readyz").status == 200)
        for _ in range(3):
            self.print(deaf, "flood")


class JsonLog(HostTest):
    def test_each_field_has_one_type_in_all_of_it(self):
        types = {}
        everything = []

        def collect(host):
            for line in host.stdout_lines + host.stderr_lines:
                everything.append(line)
                for name, value in json.loads(line).items():
                    types.setdefault(name, {}).setdefault(type(value).__name__.replace("float", "int"), line)

        host = self.start("--log-format", "json", "--log-level", "debug", "--reload")
        host.post("/echo", [[1]])
        host.post("/throws", "x")  # logs a status, as the access log does
        host.post("/fragile", [[-1]])
        host.post("/fragile", [[-6]])
        host.post("/babble", [[1]])
        host.process.send_signal(signal.SIGHUP)
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("upgraded;")
        host.stop()
        collect(host)
        host = self.start("--log-format", "json", plugin=CRASHES)
        old = host.serving_pid
        with host.client() as client:
            client.request("POST", "/segv", "x")
        eventually(lambda: host.serving_pids() not in ([], [old]) and host.get("/readyz").status == 200)
        os.kill(host.serving_pid, signal.SIGTERM)
        eventually(lambda: "exited with code 0; replacing it" in host.stderr())
        host.stop()
        collect(host)
        self.assertEqual({name: found for name, found in types.items() if len(found) > 1}, {})
        for name in ("status", "pid", "old_pid", "worker", "took_ms", "in_flight", "duration_ms"):
            self.assertEqual(list(types[name]), ["int"], (name, types[name]))


if __name__ == "__main__":
    main()
