"""Crashes, upgrades, and systemd: what goes wrong in the process that serves ends neither the service
nor a connection that can still be answered."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import harness
from harness import (EXE, LAB, PLUGINS, SLOW, Client, HostTest, Run, command_line, eventually, is_alive,
                     main)
from http_wire import Wire, connect
from http_cases.case import get, sized
from test_sockets import through_systemd

CRASHES = str(PLUGINS / "libcrashes.so")
LOST = "closed"  # what became of a request whose connection ended instead


class Load:
    """Clients that ask for /echo without a pause, each on a connection of its own that it opens anew
    when it is closed. What became of each request is counted."""

    def __init__(self, host, path="/echo", clients=8, body="x"):
        self.host, self.path, self.body = host, path, body
        self.outcomes, self.lock = Counter(), threading.Lock()
        self.answered_at = 0.0  # when the last 200 came
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _note(self, outcome):
        with self.lock:
            self.outcomes[outcome] += 1
            if outcome == 200:
                self.answered_at = time.monotonic()

    def _ask(self):
        while not self.stopping.is_set():
            try:
                with self.host.client() as client:
                    close = False
                    while not close and not self.stopping.is_set():
                        reply = client.request("POST", self.path, self.body)
                        self._note(reply.status)
                        close = reply.header("connection") == "close"
            except ConnectionRefusedError:
                self._note("refused")
            except OSError:
                self._note(LOST)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for(100)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_for(self, more):
        """Until so many requests more have been answered."""
        goal = self.outcomes[200] + more
        eventually(lambda: self.outcomes[200] >= goal, seconds=20, what=f"{more} answers")


class SupervisorTest(HostTest):
    def crash(self, host, how="segv"):
        """Has the serving process crash; what the client heard, and when, and the pid that is gone."""
        old = host.serving_pid
        began = time.monotonic()
        try:
            reply = host.post(f"/{how}", "x")
        except OSError:
            reply = None
        return reply, began, old

    def serves_again(self, host, old):
        eventually(lambda: host.serving_pids() and old not in host.serving_pids(), what="another process")
        eventually(lambda: host.post("/echo", "x").status == 200, what="an answer")


class Crash(SupervisorTest):
    def test_under_load_nothing_fails_but_what_is_in_flight_and_it_serves_again_at_once(self):
        for how in ("segv", "abort", "overflow"):
            host = self.start(plugin=CRASHES)
            with Load(host) as load:
                reply, began, old = self.crash(host, how)
                self.assertEqual(reply.status, 503)
                gap = 0.0
                while time.monotonic() - began < 1:
                    if load.answered_at > began + 0.002 and host.serving_pids() != [old]:
                        gap = gap or load.answered_at - began
                    time.sleep(0.001)
                load.wait_for(100)
            self.assertLess(gap, 0.3 * SLOW)
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
        self.assert_refused(done, "SIGSEGV", "before it was ready", within=2)

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
            eventually(lambda: not any(is_alive(pid) for pid in pids), seconds=1)
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
            time.sleep(0.05)  # a moment in which one that counted twice would end it
            self.assertIsNone(host.process.poll())
            os.killpg(host.pid, number)
            self.assertEqual(host.process.wait(5), 128 + number)
            eventually(lambda: not any(is_alive(pid) for pid in pids), seconds=1)

    def test_even_one_that_is_stopped_ends_with_the_second_signal(self):
        host = self.start()
        os.kill(host.serving_pid, signal.SIGSTOP)
        host.process.terminate()
        time.sleep(0.05)  # else the two may be one to the kernel
        host.process.terminate()
        self.assertEqual(host.process.wait(5 * SLOW), 128 + signal.SIGTERM)


class Upgrade(SupervisorTest):
    def upgrade(self, host):
        old = host.serving_pid
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("upgraded;")
        self.assertFalse(is_alive(old))
        self.assertEqual(len(host.serving_pids()), 1)
        return old

    def test_under_load_no_request_is_lost(self):
        host = self.start()
        with Load(host, body="[[1]]") as load:
            for _ in range(3):
                host.stderr_lines.clear()
                self.upgrade(host)
                load.wait_for(50)
        self.assertEqual(set(load.outcomes), {200}, load.outcomes)
        self.assertEqual(host.stop(), 0)

    def test_what_is_in_flight_is_finished_by_the_old_process(self):
        host = self.start(plugin=CRASHES)
        connection = connect(host.port)
        self.addCleanup(connection.close)
        wire = Wire(connection)
        wire.send(get(f"/wait/{int(1000 * SLOW)}"))
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 2)
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("takes over")
        self.assertEqual(len(host.serving_pids()), 2)
        self.assertEqual(host.post("/echo", "x").body, b"x")
        answer = wire.answer()
        self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
        host.log_line("upgraded;")

    def test_a_connection_that_is_kept_alive_gets_another_answer_and_not_a_refusal(self):
        host = self.start()
        connection = connect(host.port)
        self.addCleanup(connection.close)
        wire = Wire(connection)
        wire.send(get("/livez"))
        self.assertEqual(wire.answer().status, 200)
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("handing over")
        last = ""
        while last != "close":  # it may be asked before it knows that it is to close
            wire.send(sized("[[7]]", to="/echo"))
            answer = wire.answer()
            self.assertEqual(answer.status, 200)
            last = answer.header("connection")
        host.log_line("upgraded;")

    def test_a_stream_without_an_end_ends_whole_when_all_others_had_their_time(self):
        host = self.start("--timeout-graceful-shutdown", "6")
        connection = connect(host.port)
        self.addCleanup(connection.close)
        wire = Wire(connection)
        wire.send(sized("", to="/beats"))
        wire.until(b"tick\n")
        host.process.send_signal(signal.SIGUSR2)
        began = time.monotonic()
        self.assertIn(b"the end\n", wire.to_the_end())
        self.assertGreater(time.monotonic() - began, 2.9)
        connection.close()
        host.log_line("upgraded;")
        self.assertNotIn("cut", host.stderr())

    def test_the_program_that_is_there_by_then_serves_and_supervises(self):
        program = self.folder() / "bentohost"
        shutil.copy(EXE, program)
        host = self.start_copy(program)
        pid = host.pid
        new = program.with_name("new")
        shutil.copy(EXE, new)
        new.rename(program)
        inode = program.stat().st_ino
        self.upgrade(host)
        self.assertEqual(host.process.pid, pid)
        for each in (pid, host.serving_pid):
            self.assertEqual(os.stat(f"/proc/{each}/exe").st_ino, inode)
        old = host.serving_pid  # and it is as good a supervisor
        os.kill(old, signal.SIGKILL)
        eventually(lambda: host.serving_pids() not in ([], [old]))
        eventually(lambda: host.post("/echo", [[1]]).status == 200)
        self.assertEqual(host.metrics()['bentohost_serving_restarts_total{reason="SIGKILL"}'], 1)

    def start_copy(self, program):
        """A host that is this program."""
        before, harness.EXE = harness.EXE, program
        try:
            return self.start()
        finally:
            harness.EXE = before

    def test_an_upgrade_that_fails_leaves_all_as_it_was(self):
        program = self.folder() / "bentohost"
        shutil.copy(EXE, program)
        host = self.start_copy(program)
        old = host.serving_pid
        for content, words in ((b"no program at all", "cannot start"),
                               (b"#!/bin/sh\nexit 3\n", "exited with code 3"),
                               (b"#!/bin/sh\nkill -SEGV $$\n", "killed by SIGSEGV")):
            broken = program.with_name("broken")
            broken.write_bytes(content)
            broken.chmod(0o755)
            broken.rename(program)
            host.process.send_signal(signal.SIGUSR2)
            self.assertIn(words, host.log_line("the upgrade has failed"))
            host.stderr_lines.clear()
            self.assertEqual(host.serving_pids(), [old])
            self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])

    def test_a_crash_of_the_old_process_makes_way_for_the_new_one(self):
        host = self.start("--set", f"lab.start_ms={int(400 * SLOW)}")
        old = host.serving_pid
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("starts beside the old one")
        os.kill(old, signal.SIGKILL)
        host.log_line("upgraded;")
        self.assertEqual(host.post("/echo", [[1]]).status, 200)
        self.assertEqual(len(host.serving_pids()), 1)


class Systemd(SupervisorTest):
    def setUp(self):
        self.notices = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.path = str(self.folder() / "notify")
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def collect(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.notices.append(self.socket.recv(4096).decode())
        return self.notices

    def awaits(self, words, seconds=10):
        return eventually(lambda: next((notice for notice in self.collect() if words in notice), None),
                          seconds, what=f"{words} to systemd")

    def test_it_says_when_it_is_ready_reloads_and_stops(self):
        for arguments in ((), ("--no-supervisor",)):
            self.notices.clear()
            host = self.start(*arguments, env={"NOTIFY_SOCKET": self.path})
            self.assertIn(f"STATUS=serving at {host.urls[0]}", self.awaits("READY=1"))
            if not arguments:
                self.notices.clear()
                host.process.send_signal(signal.SIGUSR2)
                self.assertRegex(self.awaits("RELOADING=1"), r"MONOTONIC_USEC=\d+")
                self.awaits("READY=1")
                host.log_line("upgraded;")
            for pid in host.serving_children():
                if not arguments:
                    self.assertNotIn(b"NOTIFY_SOCKET", Path(f"/proc/{pid}/environ").read_bytes())
            self.assertEqual(host.stop(), 0)
            self.awaits("STOPPING=1")

    def test_abstract_sockets_do_as_well(self):
        name = f"bentohost-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
            abstract.bind(f"\0{name}")
            abstract.settimeout(10)
            self.start(env={"NOTIFY_SOCKET": f"@{name}"})
            self.assertIn(b"READY=1", abstract.recv(4096))

    def test_the_watchdog_is_fed_until_a_loop_hangs(self):
        for arguments in ((), ("--no-supervisor",)):
            self.notices.clear()
            interval = 0.4 * SLOW
            host = self.start("--loops", "1", *arguments, plugin=CRASHES,
                              env={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(interval * 1e6))})
            self.awaits("READY=1")
            began = time.monotonic()
            eventually(lambda: self.collect().count("WATCHDOG=1") >= 5)
            self.assertGreater(time.monotonic() - began, interval)
            self.assertLess(time.monotonic() - began, 6 * interval)
            hangs = threading.Thread(target=lambda host=host: host.post("/hang_loop", str(int(5000 * interval))))
            hangs.start()
            time.sleep(3 * interval)
            self.collect()
            self.notices.clear()
            time.sleep(interval)
            self.assertNotIn("WATCHDOG=1", self.collect())
            hangs.join()
            self.awaits("WATCHDOG=1")
            if not arguments:
                host.log_line("does not turn")
            self.assertEqual(host.stop(), 0)

    def test_a_watchdog_of_another_process_is_not_ours(self):
        self.start(env={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
        self.awaits("READY=1")
        time.sleep(0.3)
        self.assertNotIn("WATCHDOG=1", self.collect())

    def test_inherited_sockets_go_on_to_each_serving_process(self):
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            host = self.start(listen=(), plugin=CRASHES, **through_systemd(tcp))
        _, _, old = self.crash(host)
        self.serves_again(host, old)
        old = host.serving_pid
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("upgraded;")
        self.serves_again(host, old)


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
