"""Crashes: a crash of the serving process ends neither the service nor a connection that can
still be answered."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import harness
from harness import (AT_ONCE, LAB, SLOW, Run, children_of, command_line, eventually, is_alive,
                     is_pending, main)
from http_wire import Wire, connect, get
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
            # A sanitized process dies so slowly that a client may reach it a second time.
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
            functions = {"segv": "(anonymous namespace)::write_nowhere()+0x", "abort": "abort+0x",
                         "overflow": "(anonymous namespace)::deeper(int volatile*)+0x"}
            for words in (functions[how], f" in {CRASHES}+0x"):
                self.assertRegex(host.log_line(words), r"  #\d+ ")
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
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 3)
        self.assertEqual(host.metrics()["bentohost_http_streams_open"], 1)
        self.crash(host)
        answer = waiting.answer()
        self.assertEqual((answer.status, answer.header("connection")), (503, "close"))
        self.assertIn(b"crashed", answer.body)
        self.assertEqual(waiting.to_the_end(), b"")
        received = head.to_the_end()
        self.assertTrue(received.startswith(b"HTTP/1.1 503 ") and received.endswith(b"\r\n\r\n"), received)
        self.assertNotIn(b"503", half.to_the_end())
        eventually(lambda: host.post("/echo", "x").status == 200)

    def test_an_exit_of_a_plugins_is_the_crash_that_it_is(self):
        for how, words in (("exit", "it called exit()"), ("_exit", "it called _exit()"),
                           ("quick_exit", "it called quick_exit()"), ("error", "it called exit()")):
            host = self.start(plugin=CRASHES)
            waiting = connect(host.port)
            self.addCleanup(waiting.close)
            waiting = Wire(waiting)
            waiting.send(get("/wait/60000"))
            eventually(lambda host=host: host.metrics()["bentohost_http_requests_in_flight"] == 2)
            reply, _, old = self.crash(host, f"exit/{how}")
            self.assertEqual((reply.status, reply.header("retry-after")), (503, "1"), how)
            self.assertEqual(waiting.answer().status, 503)
            line = host.log_line("exited with code 3 in a call into the plugin")
            for part in (words, f"plugin={CRASHES}", 'call="api exit"', f"path=/exit/{how}", "request_id="):
                self.assertIn(part, line)
            host.log_line("  #0 ")
            self.serves_again(host, old)
            host.log_line("the serving process exited with code 3; replacing it")
            self.assertEqual(host.metrics()['bentohost_serving_restarts_total{reason="exit_3"}'], 1)

    def test_an_exit_on_a_thread_of_the_plugins_is_one_too(self):
        host = self.start(plugin=CRASHES)
        reply, _, old = self.crash(host, "exit/thread")
        self.assertEqual(reply.status, 503)
        host.log_line("exited with code 3 on a thread that is not the host's: it called exit()")
        self.serves_again(host, old)

    def test_a_childs_exit_is_the_childs_affair(self):
        host = self.start(plugin=CRASHES)
        self.assertEqual(host.post("/exit/child", "").body, b"a child's exit is its own: 4")

    def test_an_exit_before_it_was_ever_ready_is_no_success(self):
        done = Run("--port", "0", "--plugin", CRASHES, "--set", "crashes.exit_at_start=true")
        self.assert_refused(done, "exited with code 0", "before it was ready", within=5)
        self.assertIn("call=on_startup", done.stderr)

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
        """A response of that status; none if a new serving process got the request and crashed."""
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
            host.process.returncode = 0  # it was told to end
            self.assertTrue(path.is_socket())  # of the new host

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
        os.kill(old, signal.SIGINT)  # the supervisor handles Ctrl-C
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
            # The supervisor has taken its signal, and the serving process has not counted two.
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
        eventually(lambda: not is_pending(signal.SIGTERM, host.pid))  # otherwise the kernel merges the two
        host.process.terminate()
        self.assertEqual(host.process.wait(5 * SLOW), 128 + signal.SIGTERM)


class Hang(SupervisorTest):
    def test_a_serving_process_whose_loop_hangs_says_where_and_is_replaced(self):
        host = self.start("--watchdog", str(0.5 * SLOW), "--loops", "2", plugin=CRASHES)
        reply, _, old = self.crash(host, "hang_loop/60000")
        self.assertEqual(reply.status, 503)
        self.assertIn(f"pid={old}", host.log_line("the serving process hangs"))
        report = host.log_line("hangs, and is ended by SIGABRT")
        for words in (f"plugin={CRASHES}", 'call="api hang_loop"', "path=/hang_loop"):
            self.assertIn(words, report)
        host.log_line("  #0 ")
        self.serves_again(host, old)
        self.assertEqual(host.metrics()['bentohost_serving_restarts_total{reason="watchdog"}'], 1)

    def test_one_that_is_slow_to_start_or_stands_still_has_not_hung(self):
        limit = 0.2 * SLOW
        host = self.start("--watchdog", str(limit), "--set", f"lab.start_ms={int(4000 * limit)}")
        old = host.serving_pid
        os.kill(old, signal.SIGSTOP)
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 4 * limit)  # several checks by the watchdog
        os.kill(old, signal.SIGCONT)
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])
        self.assertEqual(host.serving_pid, old)
        self.assertNotIn("hangs", host.stderr())

    def test_none_hangs_where_there_is_no_watchdog(self):
        host = self.start("--watchdog", "0", plugin=CRASHES)
        self.assertEqual(host.post("/hang_loop/300", "").body, b"awake")


class Signals(SupervisorTest):
    def test_a_hangup_before_it_is_ready_is_remembered(self):
        for arguments in ((), ("--no-supervisor",)):
            needed = self.folder() / "model"
            host = self.start("--set", f"lab.needs={needed}", *arguments, ready=False)
            host.log_line("its model file is missing")
            host.process.send_signal(signal.SIGHUP)
            if not arguments:
                host.log_line("as soon as the serving process is ready")
            needed.touch()
            host.wait_ready()
            host.log_line("SIGHUP: plugins whose files have changed are reloaded")

    def test_a_hangup_in_the_first_moment_of_a_serving_process_is_remembered(self):
        host = self.start(ready=False)
        eventually(lambda: children_of(host.pid), what="its child")
        host.process.send_signal(signal.SIGHUP)
        host.wait_ready()
        host.log_line("SIGHUP: plugins whose files have changed are reloaded")
        old = host.serving_pid
        os.kill(old, signal.SIGKILL)
        # Orphans are the supervisor's children, too; without a successor SIGHUP would have no effect.
        eventually(lambda: set(host.serving_pids()) - {old}, what="its successor")
        host.process.send_signal(signal.SIGHUP)
        eventually(lambda: host.stderr().count("SIGHUP: plugins whose files") == 2)

    def test_usr1_means_nothing(self):
        host = self.start()
        host.process.send_signal(signal.SIGUSR1)
        host.log_line("SIGUSR1 means nothing here")
        self.assertEqual(host.get("/livez").status, 200)


class Orphans(SupervisorTest):
    def zombies(self, pid):
        return [child for child in children_of(pid) if not is_alive(child)]

    def test_become_children_of_the_supervisor_and_are_reaped(self):
        host = self.start(plugin=CRASHES)
        orphan = int(host.get("/orphan").body)
        self.assertIn(orphan, children_of(host.pid))
        os.kill(orphan, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{orphan}").exists(), what="the end of it")
        old = host.serving_pid
        self.crash(host)  # it still sees how that process ends
        self.serves_again(host, old)
        host.log_line("the serving process was killed by SIGSEGV")

    def test_leave_no_zombies_where_it_is_the_first_process_of_a_container(self):
        first = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
        if subprocess.run([*first, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no namespaces of processes here")
        host = self.start("--runner-workers", "2", launcher=first)
        (supervisor,) = children_of(host.pid)
        for _ in range(3):
            (serving,) = eventually(lambda: [pid for pid in children_of(supervisor) if len(children_of(pid)) == 4])
            runners = children_of(serving)
            os.kill(serving, signal.SIGKILL)
            eventually(lambda runners=runners, serving=serving: not any(
                Path(f"/proc/{pid}").exists() for pid in (serving, *runners)), what="the end of all of it")
        eventually(lambda: host.get("/readyz").status == 200)
        self.assertEqual(self.zombies(supervisor), [])
        os.kill(supervisor, signal.SIGTERM)
        self.assertEqual(host.process.wait(30 * SLOW), 0)


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
