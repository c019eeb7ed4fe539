"""Crashes: what goes wrong in the process that serves ends neither the service nor a connection
that can still be answered."""
import contextlib
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import harness
from harness import AT_ONCE, LAB, SLOW, Run, command_line, eventually, is_alive, is_pending, main
from http_wire import Wire, connect
from http_cases.case import get
from supervisor_case import CRASHES, LOST, Load, SupervisorTest
from test_sockets import through_systemd


class Crash(SupervisorTest):
    def test_under_load_nothing_fails_but_what_is_in_flight_and_it_serves_again_at_once(self):
        for how in ("segv", "abort", "overflow"):
            host = self.start(plugin=CRASHES)
            with Load(host) as load:
                reply, began, old = self.crash(host, how)
                self.assertEqual(reply.status, 503)
                eventually(lambda: host.serving_pids() not in ([], [old]))
                load.wait_for(100)
                self.assertLess(time.monotonic() - began, AT_ONCE)
            self.assertLessEqual(set(load.outcomes), {200, 503, LOST}, load.outcomes)
            # A sanitized process is so slow to die that a client may come to it a second time.
            in_flight = len(load.threads) * (1 if SLOW == 1 else 2)
            self.assertLessEqual(load.outcomes[503] + load.outcomes[LOST], in_flight, load.outcomes)

    def test_the_report_names_the_signal_the_plugin_the_call_and_the_request(self):
        for how, number in (("segv", "SIGSEGV"), ("abort", "SIGABRT"), ("overflow", "SIGSEGV")):
            host = self.start(plugin=CRASHES)
            with host.client() as client:
                reply = client.request("POST", f"/{how}", "x", {"X-Request-Id": "the-last-one"})
            self.assertEqual((reply.status, reply.header("retry-after"), reply.header("connection")),
                             (503, "1", "close"))
            self.assertEqual(reply.header("content-type"), "application/problem+json")
            line = host.log_line(f"crashed by {number}")
            for words in (f"plugin={CRASHES}", "service=crashes", f'call="api {how}"', "method=POST",
                          f"path=/{how}", "request_id=the-last-one"):
                self.assertIn(words, line)
            host.log_line(f"the serving process was killed by {number}")
            frames = [line for line in host.stderr_lines if re.search(r"  #\d+ ", line)]
            self.assertTrue(any("libcrashes.so" in frame for frame in frames), frames)
            label = f'bentohost_serving_restarts_total{{reason="{number}"}}'
            eventually(lambda: host.post("/echo", "x").status == 200)
            self.assertEqual(host.metrics()[label], 1)

    def test_the_report_is_json_where_the_log_is(self):
        host = self.start("--log-format", "json", plugin=CRASHES)
        self.crash(host)
        eventually(lambda: host.post("/echo", "x").status == 200)
        line = json.loads(host.log_line("crashed by SIGSEGV"))
        self.assertEqual((line["level"], line["component"], line["call"], line["path"]),
                         ("error", "host", "api segv", "/segv"))
        host.log_line("the serving process was killed")
        for each in host.stderr_lines:
            json.loads(each)

    def test_all_requests_in_flight_are_answered_and_no_answer_is_spoilt(self):
        host = self.start(plugin=CRASHES)
        waiting, half, head = (connect(host.port) for _ in range(3))
        for connection in (waiting, half, head):
            self.addCleanup(connection.close)
        waiting, half, head = Wire(waiting), Wire(half), Wire(head)
        waiting.send(get("/wait/60000"))
        head.send(b"HEAD /wait/60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        half.send(get("/half"))
        half.until(b"half of it")
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 4)
        self.crash(host)
        answer = waiting.answer()
        self.assertEqual((answer.status, answer.header("connection")), (503, "close"))
        self.assertIn(b"crashed", answer.body)
        self.assertEqual(waiting.to_the_end(), b"")
        received = head.to_the_end()
        self.assertTrue(received.startswith(b"HTTP/1.1 503 ") and received.endswith(b"\r\n\r\n"), received)
        self.assertNotIn(b"503", half.to_the_end())
        eventually(lambda: host.post("/echo", "x").status == 200)

    def test_an_exit_of_the_plugins_is_no_end_either(self):
        host = self.start(plugin=CRASHES)
        reply, _, old = self.crash(host, "exit")
        self.assertIsNone(reply)
        self.serves_again(host, old)
        host.log_line("the serving process exited with code 3; replacing it")

    def test_a_serving_process_that_is_killed_is_replaced_with_its_runners(self):
        host = self.start()
        runners = host.serving_children()
        old = host.serving_pid
        os.kill(old, signal.SIGKILL)
        eventually(lambda: host.serving_pids() not in ([], [old]), seconds=1)
        eventually(lambda: host.get("/readyz").status == 200)
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])
        eventually(lambda: not any(is_alive(pid) for pid in runners), seconds=1)
        host.log_line("killed by SIGKILL (signal 9); replacing it")

    def test_the_copies_of_plugins_go_with_the_service_those_of_crashed_processes_too(self):
        copies = self.folder()
        host = self.start("--copy-dir", str(copies), plugin=CRASHES)
        for how in ("segv", "abort"):
            _, began, old = self.crash(host, how)
            eventually(lambda: host.serving_pids() not in ([], [old]) and host.get("/readyz").status == 200)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(list(copies.iterdir()), [])

    def test_a_crash_loop_backs_off_answers_503_meanwhile_and_recovers(self):
        marker = self.folder() / "crash"
        host = self.start("--set", f"crashes.at_start={marker}", plugin=CRASHES)
        marker.write_text("")
        self.crash(host)
        host.log_line("replacing it in 0.4 s")
        statuses = set()
        for path in ("/echo", "/readyz", "/livez", "/nowhere"):
            reply = eventually(lambda path=path: self.stand_in(host, path), what="the stand-in")
            self.assertEqual(reply.header("content-type"), "application/problem+json")
            self.assertEqual(reply.header("retry-after"), "1")
            statuses.add(reply.status)
        self.assertEqual(statuses, {503})
        marker.unlink()
        eventually(lambda: self.stand_in(host, "/readyz", wanted=200), what="an answer 200")
        self.assertEqual(host.post("/echo", "x").body, b"x")

    def stand_in(self, host, path, wanted=503):
        """An answer of that status; none where an attempt to serve got the request and died of it."""
        with contextlib.suppress(ConnectionResetError, harness.http.client.HTTPException):
            reply = host.get(path)
            return reply if reply.status == wanted else None
        return None

    def test_a_crash_before_it_was_ever_ready_is_the_end(self):
        folder = self.folder()
        (folder / "marker").write_text("")
        done = Run("--port", "0", "--plugin", CRASHES, "--set", f"crashes.at_start={folder}/marker")
        self.assert_refused(done, "SIGSEGV", "before it was ready")

    def test_without_a_supervisor_a_crash_is_the_end_and_answered_all_the_same(self):
        host = self.start("--no-supervisor", plugin=CRASHES)
        self.assertEqual(host.serving_pids(), [host.pid])
        self.assertEqual(host.post("/segv", "x").status, 503)
        self.assertEqual(host.process.wait(10), -signal.SIGSEGV)
        self.assertIn("crashed by SIGSEGV", host.stderr())


class Death(SupervisorTest):
    def test_a_supervisor_that_is_killed_leaves_no_process_and_no_file_and_a_restart_binds(self):
        for setting in ((), ("hang",)):
            path = self.folder() / "x.sock"
            host = self.start("--bind", f"unix:{path}", plugin=CRASHES if setting else LAB)
            if setting:  # a handler that does not return
                connection = connect(host.port)
                self.addCleanup(connection.close)
                connection.sendall(get("/wait/60000"))
                eventually(lambda host=host: host.metrics()["bentohost_http_requests_in_flight"] == 2)
            pids = host.descendants()
            host.process.kill()
            host.process.wait()
            again = self.start(listen=("--port", str(host.port), "--bind", f"unix:{path}"))
            self.assertEqual(again.get("/livez").status, 200)
            eventually(lambda pids=pids: not any(is_alive(pid) for pid in pids), seconds=1,
                       what="the end of all processes")
            host.close_streams()
            host.process.returncode = 0  # it was told to
            self.assertTrue(path.is_socket())  # the new one's

    def test_the_file_of_a_unix_socket_goes_though_nobody_comes_back(self):
        path = self.folder() / "x.sock"
        host = self.start("--bind", f"unix:{path}", listen=())
        host.process.kill()
        host.process.wait()
        eventually(lambda: not path.exists(), seconds=1)
        host.close_streams()
        host.process.returncode = 0

    def test_systemds_socket_outlives_it_and_serves_the_next_one(self):
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            port = tcp.getsockname()[1]
            host = self.start(listen=(), **through_systemd(tcp))
            pids = host.descendants()
            host.process.kill()
            host.process.wait()
            again = self.start(listen=(), **through_systemd(tcp))
            eventually(lambda: not any(is_alive(pid) for pid in pids))
            host.close_streams()
            host.process.returncode = 0
            self.assertEqual(again.port, port)
            self.assertEqual(again.get("/livez").status, 200)

    def test_a_serving_process_that_is_told_to_end_is_replaced(self):
        host = self.start()
        old = host.serving_pid
        os.kill(old, signal.SIGINT)  # Ctrl-C is the supervisor's affair
        os.kill(old, signal.SIGTERM)
        eventually(lambda: host.serving_pids() not in ([], [old]))
        host.log_line("exited with code 0; replacing it")
        eventually(lambda: host.get("/readyz").status == 200)
        self.assertFalse(is_alive(old))

    def test_a_second_signal_to_the_group_is_a_second_one(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            host = self.start("--drain-delay", "60", own_group=True)
            pids = host.descendants()
            os.killpg(host.pid, number)
            eventually(lambda: host.get("/readyz").status == 503)
            # The supervisor has taken its signal, and the other has not counted two.
            eventually(lambda: not is_pending(number, host.pid))
            self.assertEqual(host.get("/readyz").status, 503)
            self.assertIsNone(host.process.poll())
            os.killpg(host.pid, number)
            self.assertEqual(host.process.wait(5), 128 + number)
            eventually(lambda: not any(is_alive(pid) for pid in pids))

    def test_even_one_that_is_stopped_ends_with_the_second_signal(self):
        host = self.start()
        os.kill(host.serving_pid, signal.SIGSTOP)
        host.process.terminate()
        eventually(lambda: not is_pending(signal.SIGTERM, host.pid))  # else the two are one to the kernel
        host.process.terminate()
        self.assertEqual(host.process.wait(5 * SLOW), 128 + signal.SIGTERM)


class Processes(SupervisorTest):
    def test_the_supervisor_has_no_code_of_the_plugins(self):
        host = self.start()
        self.assertNotIn("liblab", Path(f"/proc/{host.pid}/maps").read_text())
        self.assertIn("liblab", Path(f"/proc/{host.serving_pid}/maps").read_text())
        self.assertEqual(len(list(Path(f"/proc/{host.pid}/task").iterdir())), 1)

    def test_what_it_tells_its_children_is_not_told_on(self):
        host = self.start()
        for pid in host.serving_children():
            self.assertNotRegex(Path(f"/proc/{pid}/environ").read_bytes(), b"BENTOHOST_(S|R)")
            self.assertEqual(command_line(pid)[1], b"runner")


if __name__ == "__main__":
    main()
