"""Upgrades of bentohost itself, and systemd."""
import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import harness
from harness import EXE, SLOW, eventually, is_alive, main
from http_wire import Ended, Wire, connect, get, sized
from supervisor_case import CRASHES, Load, SupervisorTest
from test_sockets import through_systemd


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

    def test_one_that_is_asked_for_in_a_restart_comes_after_it(self):
        host = self.start(plugin=CRASHES)
        self.crash(host)
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("upgraded;")
        self.assertEqual(host.post("/echo", "x").body, b"x")

    def test_a_connection_that_is_kept_alive_gets_another_answer_and_not_a_refusal(self):
        host = self.start()
        connection = connect(host.port)
        self.addCleanup(connection.close)
        wire = Wire(connection)
        wire.send(get("/livez"))
        self.assertEqual(wire.answer().status, 200)
        heard = time.monotonic()
        host.process.send_signal(signal.SIGUSR2)
        host.log_line("handing over")
        last = ""
        while last != "close":  # it may get a request before it knows that it must close
            wire.send(sized("[[7]]", to="/echo"))
            try:
                answer = wire.answer()
            except Ended:  # on a slow machine, a connection idle for a second is closed
                self.assertGreater(time.monotonic() - heard, 0.9)
                break
            heard = time.monotonic()
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

    def test_a_crash_is_none_whatever_is_at_the_path_by_then(self):
        program = self.folder() / "bentohost"
        shutil.copy(EXE, program)
        inode = program.stat().st_ino
        host = self.start_copy(program)
        new = program.with_name("new")
        new.write_bytes(b"half of a release")
        new.rename(program)
        os.kill(host.serving_pid, signal.SIGKILL)
        eventually(lambda: host.serving_pids(), what="the next serving process")
        self.assertEqual(host.post("/echo", "[[7]]").status, 200)
        self.assertEqual(os.stat(f"/proc/{host.serving_pid}/exe").st_ino, inode)
        self.assertEqual(Path(f"/proc/{host.serving_pid}/comm").read_text(), "bentohost\n")

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
        old = host.serving_pid  # the supervisor still works
        os.kill(old, signal.SIGKILL)
        eventually(lambda: host.serving_pids() not in ([], [old]))
        eventually(lambda: host.post("/echo", [[1]]).status == 200)
        self.assertEqual(host.metrics()['bentohost_serving_restarts_total{reason="SIGKILL"}'], 1)

    def start_copy(self, program):
        """A host that runs this program."""
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
        self.notices, self.heard_at = [], time.monotonic()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.path = str(self.folder() / "notify")
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def collect(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.notices.append(self.socket.recv(4096).decode())
                self.heard_at = time.monotonic()
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
        for arguments in (("--watchdog", "0"), ("--no-supervisor",)):
            self.notices.clear()
            interval = 1.5 * SLOW
            began = time.monotonic()
            host = self.start("--loops", "1", *arguments, plugin=CRASHES,
                              env={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(interval * 1e6))})
            self.awaits("READY=1")
            eventually(lambda: self.collect().count("WATCHDOG=1") >= 5, seconds=60)
            self.assertGreater(time.monotonic() - began, interval)
            self.assertLess(time.monotonic() - began, 30 * interval)
            hangs = threading.Thread(target=lambda host=host: host.post(f"/hang_loop/{int(5000 * interval)}", ""))
            hangs.start()
            eventually(lambda: self.collect() and time.monotonic() - self.heard_at > interval,
                       what="the silence that systemd would end it for")
            self.assertTrue(hangs.is_alive())
            hangs.join()
            self.notices.clear()
            self.awaits("WATCHDOG=1")
            if arguments[0] == "--watchdog":
                host.log_line("does not turn")
            self.assertEqual(host.stop(), 0)

    def test_the_watchdog_of_our_own_comes_first(self):
        interval = 2.0 * SLOW
        host = self.start(plugin=CRASHES, env={"NOTIFY_SOCKET": self.path,
                                               "WATCHDOG_USEC": str(int(interval * 1e6))})
        self.awaits("READY=1")
        old, silence = host.serving_pid, 0.0
        hangs = threading.Thread(target=lambda: self.crash(host, "hang_loop/60000"))
        hangs.start()
        while "replacing it" not in host.stderr():
            before = self.heard_at
            self.collect()
            silence = max(silence, self.heard_at - before)
        hangs.join()
        host.log_line("hangs, and is ended by SIGABRT")
        self.assertLess(silence, interval)
        self.serves_again(host, old)

    def test_a_watchdog_of_another_process_is_not_ours(self):
        interval = {"WATCHDOG_USEC": "100000"}
        self.start(env={"NOTIFY_SOCKET": self.path, **interval, "WATCHDOG_PID": "1"})
        self.awaits("READY=1")
        path = str(self.folder() / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as fed:
            fed.bind(path)
            fed.settimeout(10 * SLOW)
            self.start(env={"NOTIFY_SOCKET": path, **interval})  # with its own watchdog, for the time
            for _ in range(5):
                while fed.recv(4096) != b"WATCHDOG=1":
                    pass
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


if __name__ == "__main__":
    main()
