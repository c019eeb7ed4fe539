"""Runners: they may die, hang, print and be overloaded, and every client gets a correct response."""
import http.client
import os
import re
import shutil
import signal
import socket
import threading
import time
import unittest
import unittest.mock
from datetime import datetime
from pathlib import Path

import harness
from harness import (AT_ONCE, LAB, SLOW, HostTest, Run, eventually, in_parallel, is_alive, main)


class Load:
    """Keep-alive clients that count the outcome of each request, until told to stop."""

    def __init__(self, host, connections, path, body, expected):
        self.counts, self.lost = {}, []
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.job = (host, path, body, expected)
        self.threads = [threading.Thread(target=self.run) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def run(self):
        host, path, body, expected = self.job
        client, counts = host.client(), {}
        while not self.done.is_set():
            try:
                reply = client.request("POST", path, body)
                key = reply.status if reply.status != 200 or reply.json() == expected else "wrong"
                counts[key] = counts.get(key, 0) + 1
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.lost.append(repr(error))
                client = host.client()
        client.close()
        with self.lock:
            for key, n in counts.items():
                self.counts[key] = self.counts.get(key, 0) + n

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()
        return self.counts


def log_times(host, message, runner="worker",service="lab"):
    """When the host logged this about a runner, in seconds."""
    return [datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()
            for line in list(host.stderr_lines) if message in line and f"runner={runner}" in line]


def batches(host, method):
    return host.metrics().get(f'bentohost_batch_size_count{{method="{method}",runner="worker",service="lab"}}', 0)


class Deaths(HostTest):
    def kill(self, host, runner="worker",service="lab", number=signal.SIGKILL):
        (pid,) = host.runners()[runner]
        os.kill(pid, number)
        return pid

    def test_a_killed_runner_under_load_costs_no_request_its_answer(self):
        host = self.start()
        load = Load(host, 64, "/echo", [[1, 2]], [[1, 2]])
        old = None
        for _ in range(3):
            eventually(lambda: host.get("/readyz").status == 200)
            old = self.kill(host)
            eventually(lambda: host.runners().get("worker", [old]) != [old])
            eventually(lambda: host.post("/echo", [[3]]).status == 200)
        counts = load.stop()
        self.assertEqual(load.lost, [])
        self.assertEqual(set(counts), {200}, counts)  # echo is idempotent
        restarts = host.metrics()['bentohost_runner_restarts_total{reason="SIGKILL",runner="worker",service="lab"}']
        self.assertEqual(restarts, 3)
        # By the host's own clock, because the clients here keep a core busy.
        again = eventually(lambda: len(at := log_times(host, "serves again")) == 3 and at)
        for ended, served in zip(log_times(host, "runner ended"), again, strict=True):
            self.assertLess(served - ended, AT_ONCE)

    def test_what_may_not_run_twice_is_answered_503(self):
        host = self.start()
        reply = host.post("/fragile", [[-1]])
        self.assertEqual((reply.status, reply.header("retry-after")), (503, "1"), reply)
        self.assertIn("SIGSEGV", reply.json()["detail"])
        eventually(lambda: host.post("/fragile", [[1]]).status == 200)
        crash = host.log_line("crashed by SIGSEGV (signal 11)")
        for words in ("service=lab", 'call="runner worker.fragile"', "runner=worker"):
            self.assertIn(words, crash)
        host.log_line("#0 ")  # of the backtrace

    def test_an_exit_in_a_runner_names_the_culprit_and_its_callers_are_told(self):
        host = self.start()
        reply = host.post("/fragile", [[-6]])
        self.assertEqual((reply.status, reply.header("retry-after")), (503, "1"), reply)
        self.assertIn("exited with code 7", reply.json()["detail"])
        line = host.log_line("exited with code 7 in a call into the plugin: it called exit()")
        for words in ("service=lab", 'call="runner worker.fragile"', "runner=worker"):
            self.assertIn(words, line)
        host.log_line("runner ended: it exited with code 7")
        eventually(lambda: host.post("/fragile", [[1]]).status == 200)

    def test_an_idempotent_call_survives_one_death(self):
        marker = self.folder() / "marker"
        host = self.start("--set", f"lab.marker={marker}")
        self.assertEqual(host.post("/once", [[5]]).json(), [[5]])
        self.assertTrue(marker.exists())

    def test_a_call_that_kills_its_worker_fails_alone(self):
        host = self.start()
        load = Load(host, 8, "/echo", [[9]], [[9]])
        replies = [host.post("/echo", [[-1]]) for _ in range(3)]
        counts = load.stop()
        self.assertEqual([reply.status for reply in replies], [503] * 3)
        self.assertEqual(load.lost, [])
        # A call that shared its batch each time may be unlucky: at most one retry each.
        self.assertGreater(counts.get(200, 0), 10 * counts.get(503, 0), counts)
        self.assertNotIn("wrong", counts)

    def test_one_callers_bad_rows_do_not_fail_the_others_in_its_batch(self):
        host = self.start()
        load = Load(host, 16, "/echo", [[9]], [[9]])
        for _ in range(50):
            self.assertEqual(host.post("/echo", [[-4]]).status, 400)
        self.assertEqual(set(load.stop()), {200})

    def test_a_runner_that_cannot_start_is_tried_with_back_off_and_then_refused_at_once(self):
        host = self.start("--set", "lab.fail_start=true", ready=False).find_port()
        line = eventually(lambda: [line for line in host.stderr_lines if "told not to start" in line])
        self.assertIn("runner", line[0])
        eventually(lambda: host.post("/echo", [[1]]).status == 503)
        reply = host.get("/readyz")
        self.assertEqual(reply.status, 503)
        self.assertIn("told not to start", reply.json()["detail"])

    def test_tries_come_further_and_further_apart_until_one_succeeds(self):
        needed = self.folder() / "model"
        host = self.start("--set", f"lab.needs={needed}", ready=False).find_port()
        times = eventually(lambda: len(at := log_times(host, "runner ended")) >= 4 and at, what="the fourth try")
        for expected, before, after in zip((0.1, 0.2, 0.4), times, times[1:]):
            self.assertGreater(after - before, expected - 0.01)
        needed.touch()
        host.wait_ready()
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])

    def test_a_runner_that_says_it_is_useless_is_not_tried_again(self):
        needed = self.folder() / "model"
        needed.touch()
        host = self.start("--set", f"lab.useless_without={needed}")
        needed.unlink()
        self.kill(host)
        eventually(lambda: b"failed for good" in host.get("/readyz").body)
        self.assertEqual(host.post("/echo", [[1]]).status, 503)
        self.assertEqual(host.metrics()['bentohost_runner_restarts_total{reason="exit_78",runner="worker",service="lab"}'], 1)
        eventually(lambda: "worker" not in host.runners())
        old = host.serving_pid
        os.kill(old, signal.SIGKILL)  # nor does that end a runner that could once start
        eventually(lambda: host.serving_pids() not in ([], [old]), what="another serving process")
        eventually(lambda: b"failed for good" in host.get("/readyz").body)

    def test_what_happens_to_a_plugins_file_does_not_touch_its_runners(self):
        whole = self.folder() / "liblab.so"
        shutil.copy(LAB, whole)
        host = self.start(plugin=str(whole))
        for ruin in (lambda: os.truncate(whole, 10000), whole.unlink):
            ruin()
            self.kill(host)
            eventually(lambda: host.post("/echo", [[1]]).status == 200)

    def test_what_happens_to_our_own_file_does_not_touch_runners_or_reloads(self):
        own = self.folder() / "bentohost"
        for ruin in (own.unlink, lambda: own.write_text("#!/bin/sh\nexit 3\n")):
            own.unlink(missing_ok=True)
            shutil.copy(harness.EXE, own)
            plugin = Path(shutil.copy(LAB, self.folder() / "liblab.so"))
            with unittest.mock.patch.object(harness, "EXE", own):
                host = self.start("--admin-bind", "127.0.0.1:0", plugin=str(plugin))
            own.rename(own.with_suffix(".old"))
            own.touch(0o755)
            ruin()
            old = self.kill(host)
            eventually(lambda: host.runners().get("worker", [old]) != [old], what="another runner")
            eventually(lambda: host.post("/echo", [[1]]).status == 200)
            (pid,) = host.runners()["worker"]
            self.assertEqual(Path(f"/proc/{pid}/comm").read_text(), "bentohost\n")
            (port,) = set(host.listening_ports()) - {host.port}
            with harness.Client(port) as admin:
                reply = admin.request("POST", "/plugins/lab/reload?force=true")
            self.assertEqual(reply.status, 200, reply)
            host.stop()

    def test_a_runner_that_hangs_is_replaced_and_its_callers_told(self):
        host = self.start("--timeout", str(0.5 * SLOW))
        pid = self.kill(host, number=signal.SIGSTOP)
        began = time.monotonic()
        self.assertEqual(host.post("/echo", [[1]]).status, 504)
        self.assertGreater(time.monotonic() - began, 0.49 * SLOW)
        self.assertLess(time.monotonic() - began, AT_ONCE)
        eventually(lambda: not is_alive(pid))
        eventually(lambda: host.post("/echo", [[2]]).status == 200)
        self.assertEqual(host.metrics()['bentohost_runner_restarts_total{reason="killed",runner="worker",service="lab"}'], 1)

    def test_a_runner_that_does_not_read_holds_up_its_own_callers_only(self):
        host = self.start()
        pid = self.kill(host, number=signal.SIGSTOP)
        row = [[7] * 200_000]  # many times the size of a pipe
        replies = []
        asking = [threading.Thread(target=lambda: replies.append(host.post("/echo", row))) for _ in range(3)]
        for thread in asking:
            thread.start()
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] >= 4)
        for _ in range(50):
            began = time.monotonic()
            self.assertEqual(host.get("/livez").status, 200)
            self.assertLess(time.monotonic() - began, AT_ONCE)
        os.kill(pid, signal.SIGCONT)
        for thread in asking:
            thread.join()
        self.assertEqual([reply.json() == row for reply in replies], [True] * 3)

    def test_a_runner_that_breaks_the_protocol_is_replaced(self):
        host = self.start()
        (pid,) = host.runners()["worker"]
        reply = host.post("/garble", [[1]])
        self.assertEqual(reply.status, 502, reply)
        self.assertIn("protocol", reply.json()["detail"])
        eventually(lambda: host.post("/echo", [[1]]).status == 200)
        self.assertNotEqual(host.runners()["worker"], [pid])

    def test_neither_dead_runners_nor_clients_that_go_leave_anything_behind(self):
        host = self.start()
        host.post("/echo", [[1]])
        before = host.metrics()["process_open_fds"]
        for _ in range(5):
            self.assertEqual(host.post("/fragile", [[-1]]).status, 503)
            eventually(lambda: host.post("/echo", [[1]]).status == 200)
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", host.port)) as leaving:
                leaving.sendall(b"POST /nap HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[[1]]")
        eventually(lambda: (now := host.metrics())["bentohost_http_requests_in_flight"] == 1
                   and now["process_open_fds"] <= before, what="the return of all descriptors")
        self.assertEqual(len(host.serving_children()), 2)

    @unittest.skipIf(SLOW > 1, "a sanitizer keeps freed memory for a while")
    def test_what_a_large_call_needed_is_given_back_by_its_worker(self):
        host = self.start()
        (pid,) = host.runners()["worker"]
        self.assertEqual(host.post("/echo", [[7] * 5_000_000]).status, 200)  # 40 MB each way

        def resident_kb():
            return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])
        # The memory that it shares with the host is kept for ten seconds, for the next call.
        eventually(lambda: resident_kb() < 40_000, seconds=30)

    def test_no_runner_outlives_a_host_that_is_killed(self):
        for stopped in (False, True):
            host = self.start()
            runners = host.serving_children()
            self.assertEqual(len(runners), 2)
            children = host.descendants()
            if stopped:
                os.kill(runners[0], signal.SIGSTOP)
            host.process.kill()
            host.process.wait()
            eventually(lambda: not any(is_alive(pid) for pid in children), seconds=1,
                       what="the end of the runners")
            host.close_streams()
            host.process.returncode = 0  # it was told to end; there is nothing left to stop

    def test_what_a_runner_prints_does_not_reach_the_protocol(self):
        host = self.start()
        self.assertEqual(host.post("/babble", [[1]]).json(), [[1]])
        self.assertEqual(host.post("/echo", [[2]]).json(), [[2]])
        told = eventually(lambda: [line for line in host.stderr_lines if "stderr" in line or "stdout" in line])
        self.assertLess(len(told), 500)  # rate-limited

    def test_a_runners_signals_are_the_hosts_business(self):
        host = self.start()
        (pid,) = host.runners()["worker"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGPIPE):
            os.kill(pid, number)
        self.assertEqual(host.post("/echo", [[1]]).status, 200)
        self.assertEqual(host.runners()["worker"], [pid])


class Starts(HostTest):
    def test_that_cannot_succeed_end_at_the_first_with_78_and_a_line(self):
        for mode in ((), ("--no-supervisor",)):
            done = Run("--port", "0", "--plugin", LAB, "--set", "lab.bad_config=true",
                       "--drain-delay", "20", *mode)
            self.assert_refused(done, "service lab cannot start", "runner", "told it is useless",
                                code=78, within=15)

    def test_that_go_on_failing_end_with_78_when_their_time_is_up(self):
        done = Run("--port", "0", "--plugin", LAB, "--set", "lab.fail_start=true",
                   "--start-timeout", "2")
        self.assert_refused(done, "--start-timeout", "runner worker", "told not to start", code=78,
                            within=25)
        self.assertGreaterEqual(done.seconds, 2)
        self.assertGreater(done.stderr.count("runner ended"), 2)  # there were several attempts

    def test_that_take_their_time_say_what_they_wait_for(self):
        host = self.start("--set", "lab.start_ms=3000", ready=False)
        line = host.log_line("waiting for")
        for runner in ("worker", "other"):
            self.assertIn(f"runner {runner}: worker 0 is starting", line)
        host.wait_ready()


class ProgramsOfPlugins(HostTest):
    def test_start_with_no_signal_ignored_or_blocked(self):
        ours = {signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGUSR1,
                signal.SIGUSR2, signal.SIGCHLD, signal.SIGRTMIN}

        def named(text):  # a mask of /proc/PID/status
            return {number for number in ours if int(text, 16) >> (number - 1) & 1}
        for mode in ((), ("--no-supervisor",)):
            host = self.start(*mode)
            for route in ("handlers_child", "loops_child", "starts_child", "runners_child"):
                masks = host.post(f"/{route}", {}).json()
                with self.subTest(route=route, mode=mode):
                    self.assertEqual((named(masks["SigBlk"]), named(masks["SigIgn"])), (set(), set()))


class Batching(HostTest):
    def test_calls_that_queue_share_batches_of_at_most_max_batch_rows(self):
        host = self.start()
        sizes = []

        def ask():
            client = host.client()
            for _ in range(20):
                sizes.append(client.request("POST", "/rows", [[0]]).json()[0][0])
            client.close()
        in_parallel([ask] * 24)
        self.assertLessEqual(max(sizes), 8)
        self.assertGreater(max(sizes), 4)
        self.assertLess(batches(host, "rows"), len(sizes) / 2)

    def test_a_lone_call_is_a_batch_of_its_own_rows(self):
        host = self.start()
        self.assertEqual(host.post("/rows", [[0], [0], [0]]).json(), [[3], [3], [3]])

    def test_a_call_longer_than_max_batch_is_split_and_put_together_in_order(self):
        host = self.start()
        rows = [[i, -10 - i] for i in range(1003)]
        self.assertEqual(host.post("/echo", rows).json(), rows)
        self.assertEqual(batches(host, "echo"), 126)
        columns = [list(range(100)), list(range(100, 200))]
        self.assertEqual(host.post("/columns", columns).json(), columns)

    def test_every_runner_gets_as_many_workers_as_asked_for(self):
        host = self.start("--runner-workers", "2", "--runner-workers", "other=1")
        self.assertEqual({name: len(pids) for name, pids in host.runners().items()}, {"worker": 2, "other": 1})

        def both_work():  # the host is ready with the first warm worker
            began = time.monotonic()
            in_parallel([lambda: host.post("/nap", [[400]])] * 2)
            return time.monotonic() - began < 0.75
        eventually(both_work, what="two calls in the time of one")

    def test_each_caller_gets_its_own_rows(self):
        host = self.start("--runner-workers", "worker=3")
        self.assertEqual(len(host.runners()["worker"]), 3)
        self.assertEqual(len(host.runners()["other"]), 1)

        def ask(number):
            client = host.client()
            for i in range(60):
                value = number * 1000 + i
                rows = [[value, value + 1]] * (1 + (number + i) % 11)
                self.assertEqual(client.request("POST", "/echo", rows).json(), rows)
                columns = [[value] * (1 + i % 5), [value + 1] * (1 + i % 5)]
                self.assertEqual(client.request("POST", "/columns", columns).json(), columns)
            client.close()
        in_parallel([lambda n=n: ask(n) for n in range(16)])

    def test_calls_of_other_shapes_do_not_share_a_batch(self):
        host = self.start()
        in_parallel([lambda k=k: [self.assertEqual(host.post("/echo", [[7] * k]).json(), [[7] * k])
                                  for _ in range(20)] for k in range(1, 9)])

    def test_one_request_can_call_two_runners_at_once(self):
        host = self.start()
        began = time.monotonic()
        self.assertEqual(host.post("/both", [[2000]]).json(), [[2000]])
        self.assertLess(time.monotonic() - began, 4, "they were called one after the other")

    def test_a_call_that_nobody_waits_for_is_dropped(self):
        host = self.start()
        blocker = threading.Thread(target=host.post, args=("/nap", [[300]]))
        blocker.start()
        eventually(lambda: batches(host, "nap") == 1)
        for _ in range(10):
            self.assertEqual(host.post("/forget", [[1000]]).json(), [[1000]])
        blocker.join()
        self.assertEqual(host.post("/nap", [[1]]).json(), [[1]])
        self.assertLessEqual(batches(host, "nap"), 3)

    def test_json_methods_are_called_one_by_one(self):
        host = self.start()
        self.assertEqual(host.post("/reverse", {"a": 1}).json(), {"length": 8})

    def test_more_calls_than_may_queue_are_answered_503(self):
        host = self.start("--max-queue", "2")
        statuses = in_parallel([lambda: host.post("/nap", [[300]])] * 8)
        self.assertEqual(sorted({reply.status for reply in statuses}), [200, 503])
        full = next(reply for reply in statuses if reply.status == 503)
        self.assertIn("overloaded", full.json()["detail"])
        self.assertEqual(full.header("retry-after"), "1")

    def test_a_call_that_queued_longer_than_max_latency_is_answered_503(self):
        host = self.start()
        blocker = threading.Thread(target=host.post, args=("/nap", [[int(400 * SLOW)]]))
        blocker.start()
        eventually(lambda: batches(host, "nap") == 1)
        reply = host.post("/impatient", [[1]])
        self.assertEqual(reply.status, 503, reply)
        self.assertIn("max_latency_ms", reply.json()["detail"])
        blocker.join()


if __name__ == "__main__":
    main()
