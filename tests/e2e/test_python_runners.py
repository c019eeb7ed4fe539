"""Runners called from Python: by threads and by event loops, across restarts, reloads, upgrades and forks."""
import array
import asyncio
import contextlib
import gc
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from harness import AT_ONCE, LAB, PLUGINS, SLOW, SOURCE, HostTest, Run, eventually, in_parallel, main

PACKAGE = SOURCE / "sdk" / "python"
sys.path.insert(0, str(PACKAGE))
import bento_runner  # noqa: E402
from bento_runner import Tensor  # noqa: E402

TWIN_A, TWIN_B = (str(PLUGINS / f"libtwin_{name}.so") for name in "ab")
VALUES = str(PLUGINS / "libvalues.so")
BATCHES = str(PLUGINS / "libbatches.so")
CALLS = 'bentohost_runner_calls_total{method="%s",result="%s",runner="worker",service="lab"}'


class RunnerClientTest(HostTest):
    def serve(self, *arguments, **options):
        """Starts a host (self.host), whose runners self.client calls."""
        self.path = str(self.folder() / "runners.sock")
        self.host = self.start("--runner-bind", f"unix:{self.path}", *arguments, **options)
        self.client = bento_runner.connect(self.path, arrays="list", connect_timeout=30 * SLOW)
        self.addCleanup(self.client.close)
        return self.client

    def worker(self, *arguments, **options):
        return self.serve(*arguments, **options).runner("worker")

    def in_loop(self, coroutine):
        async def run():
            try:
                return await coroutine
            finally:
                await self.client.aclose()
        return asyncio.run(run())

    def raw(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(AT_ONCE)
        sock.connect(self.path)
        self.addCleanup(sock.close)
        return sock


def frame(kind, body=b"", id=1, magic=0x4F544E42, version=2):
    return struct.pack("<IHBBQIIQ32x", magic, version, kind, 0, id, 0, 0, len(body)) + body + bytes(-len(body) % 64)


HELLO = frame(1, b'{"protocol":1}', 0)


def read_exactly(sock, size):
    """None if the connection ends first."""
    got = bytearray()
    while len(got) < size:
        piece = sock.recv(size - len(got))
        if not piece:
            return None
        got += piece
    return bytes(got)


def read_frame(sock):
    """The type, id and body of the next frame; None at the end."""
    header = read_exactly(sock, 64)
    if header is None:
        return None
    _, _, kind, _, id, _, _, length = struct.unpack("<IHBBQIIQ32x", header)
    body = read_exactly(sock, length + -length % 64)
    return body if body is None else (kind, id, body[:length])


class Calls(RunnerClientTest):
    def test_arrays_json_text_and_bytes_go_there_and_back(self):
        values = self.serve(plugin=VALUES).runner("values")
        self.assertEqual(values.floats.run([[1, 2.5], [3, 4]]), [[1.0, 2.5], [3.0, 4.0]])
        self.assertEqual(values.doubles.run(array.array("d", [1, 2])), [1.0, 2.0])
        self.assertEqual(values.small.run(memoryview(bytes([1, 2, 255]))), [1, 2, 255])
        self.assertEqual(values.doubles.run(Tensor("float64", (0, 3), b"")), [])
        self.assertEqual(values.doubles.run(2.5), 2.5)
        self.assertEqual(values.json.run({"a": [1, "ü", None]}), [{"a": [1, "ü", None]}])
        self.assertEqual(values.json.run([1, 2]), [[1, 2]])
        self.assertEqual(values.json.run("text"), ["text"])
        self.assertEqual(values.json.run(None), [None])
        self.assertEqual(values.greeting.run("Zoë"), "hello, Zoë")
        self.assertEqual(values.bytes.run(b"\x00\xff"), b"\xff\x00")
        self.assertEqual(values.bytes.run(bytearray(b"ab")), b"ba")

    def test_results_are_tensors_where_lists_are_not_asked_for(self):
        self.serve(plugin=VALUES)
        client = bento_runner.connect("unix:" + self.path, arrays="tensor")
        self.addCleanup(client.close)
        result = client.runner("values").floats.run([[1, 2], [3, 4]])
        self.assertEqual((result.dtype, result.shape, result.tolist()), ("float32", (2, 2), [[1, 2], [3, 4]]))
        self.assertEqual(result[1].tolist(), [3, 4])

    def test_services_and_versions_are_told(self):
        client = self.serve("--plugin", TWIN_A, plugin=VALUES)
        self.assertEqual([(s.name, s.version) for s in client.services()], [("values", "2.5"), ("twin_a", "1.0")])
        values = client.runner("values")
        self.assertEqual(str(values.bento_model.tag), "values:2.5")
        method = next(m for m in values.info.methods if m.name == "floats")
        self.assertEqual((method.batchable, method.input["kind"], method.input["dtype"]), (False, "tensor", "float32"))

    def test_a_runner_of_two_services_needs_the_name_of_one(self):
        client = self.serve("--plugin", "/b=" + TWIN_B, plugin="/a=" + TWIN_A)
        with self.assertRaisesRegex(bento_runner.InvalidInput, "twin_a.*twin_b.*both have a runner"):
            client.runner("clf").who.run(b"x")
        self.assertEqual(client.runner("clf", service="twin_b").who.run("I"), "I of b")

    def test_errors_are_exceptions_that_say_what_was_wrong(self):
        worker = self.worker()
        for call, kind, status, words in [
                (lambda: worker.none.run([1]), bento_runner.NotFound, 404, 'no method "none"'),
                (lambda: self.client.runner("none").x.run(b""), bento_runner.NotFound, 404, "here is lab.worker"),
                (lambda: self.client.runner("worker", "nobody").x.run(b""), bento_runner.NotFound, 404, "no service"),
                (lambda: worker.echo.run(b"bytes"), bento_runner.InvalidInput, 400, "takes a tensor, got bytes"),
                (lambda: worker.echo.run([[1.5]]), bento_runner.InvalidInput, 400, "takes int64, which 1.5"),
                (lambda: worker.echo.run([[1], [2, 3]]), bento_runner.InvalidInput, 400, "ragged"),
                (lambda: worker.echo.run(array.array("d", [1.0])), bento_runner.InvalidInput, 400, "got float64"),
                (lambda: worker.echo.run(), bento_runner.InvalidInput, 400, "needs an input"),
                (lambda: worker.reverse.run({"a": {1, 2}}), bento_runner.InvalidInput, 400, "JSON"),
                (lambda: worker.echo.run([[-4]]), bento_runner.InvalidInput, 400, "the runner does not take -4"),
                (lambda: worker.echo.run([[-2]]), bento_runner.RunnerError, 500, "a secret of the runner"),
                (lambda: worker.fragile.run([[-1]]), bento_runner.Unavailable, 503, "worker"),
        ]:
            with self.subTest(words=words):
                with self.assertRaises(kind) as caught:
                    call()
                self.assertEqual(caught.exception.status, status, caught.exception)
                self.assertIn(words, str(caught.exception))
        self.assertEqual(worker.echo.run([[7]]), [[7]], "the connection is still good")

    def test_calls_of_threads_and_tasks_travel_in_one_batch(self):
        worker = self.worker()
        self.assertEqual(worker.rows.run([[0]]), [[1]])

        async def many():
            return await asyncio.gather(*(worker.rows.async_run([[i]]) for i in range(32)))
        self.assertGreater(max(row[0][0] for row in self.in_loop(many())), 1)
        self.assertGreater(max(row[0][0] for row in in_parallel([lambda: worker.rows.run([[0]])] * 16)), 1)

    def test_each_of_many_callers_gets_its_own_result(self):
        worker = self.worker("--runner-workers", "2")

        async def caller(n):
            for i in range(50):
                self.assertEqual(await worker.echo.async_run([[n, i]]), [[n, i]])

        async def callers(first):
            await asyncio.gather(*(caller(first + n) for n in range(16)))
            await self.client.aclose()

        def waits(n):
            for i in range(50):
                self.assertEqual(worker.echo.run([[n, i]]), [[n, i]])
        in_parallel([lambda: asyncio.run(callers(0)), lambda: asyncio.run(callers(1000)),
                     *(lambda n=n: waits(n) for n in range(2000, 2004))])
        self.assertEqual(self.host.metrics()[CALLS % ("echo", "ok")], 1800)

    def test_large_arrays_come_whole(self):
        self.serve(plugin=VALUES)
        client = bento_runner.connect(self.path, arrays="tensor")
        self.addCleanup(client.close)
        values = client.runner("values")
        large = Tensor("float64", (3, 1 << 20), os.urandom(24 << 20))

        async def both():
            found = await asyncio.gather(*(values.doubles.async_run(large) for _ in range(3)))
            await client.aclose()
            return found
        for result in [values.doubles.run(large), *asyncio.run(both())]:
            self.assertEqual(result.shape, large.shape)
            self.assertTrue(result.data == large.data)

    def test_an_input_over_the_limit_is_refused_and_the_connection_stays(self):
        worker = self.worker("--max-body", "64k")
        for call in (worker.echo.run, lambda *inputs: self.in_loop(worker.echo.async_run(*inputs))):
            with self.assertRaises(bento_runner.InvalidInput) as caught:
                call(array.array("q", bytes(1 << 17)))
            self.assertEqual(caught.exception.status, 413)
            self.assertIn("--max-body", str(caught.exception))
            self.assertEqual(call([[1]]), [[1]])

    def test_a_full_queue_is_overload(self):
        worker = self.worker("--max-queue", "1")

        async def many():
            return await asyncio.gather(*(worker.nap.async_run([[100]]) for _ in range(10)), return_exceptions=True)
        results = self.in_loop(many())
        refused = [result for result in results if isinstance(result, bento_runner.Overloaded)]
        self.assertGreater(len(refused), 4, results)
        self.assertEqual(refused[0].status, 503)
        self.assertIn([[100]], results)


class Time(RunnerClientTest):
    def test_a_call_ends_with_its_timeout_and_with_its_requests_deadline(self):
        worker = self.worker()
        nap = [[int(3000 * SLOW)]]

        async def awaited(**options):
            return await worker.nap.async_run(nap, **options)
        for call in (lambda **options: worker.nap.run(nap, **options),
                     lambda **options: self.in_loop(awaited(**options))):
            began = time.monotonic()
            with self.assertRaises(bento_runner.DeadlineExceeded):
                call(timeout=0.2)
            with bento_runner.request_context("r", timeout=0.2), self.assertRaises(bento_runner.DeadlineExceeded):
                call(timeout=60)
            with bento_runner.request_context(timeout=-1), self.assertRaises(TimeoutError):
                call()
            self.assertLess(time.monotonic() - began, 2.5 * SLOW)

    def test_the_hosts_timeout_holds_for_all(self):
        worker = self.worker("--timeout", "0.3")
        with self.assertRaises(bento_runner.DeadlineExceeded):
            worker.nap.run([[int(3000 * SLOW)]], timeout=60)

    def test_a_host_that_hangs_is_given_up(self):
        worker = self.worker("--watchdog", "0")
        self.assertEqual(worker.echo.run([[1]]), [[1]])
        pid = self.host.serving_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: all("T (stopped)" in (task / "status").read_text()
                                   for task in Path(f"/proc/{pid}/task").iterdir()), what="the stop")
            began = time.monotonic()
            with self.assertRaises(bento_runner.DeadlineExceeded):
                worker.echo.run([[1]], timeout=0.1)
            self.assertGreater(time.monotonic() - began, 1)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(worker.echo.run([[1]]), [[1]])

    def test_a_cancelled_task_cancels_its_call(self):
        worker = self.worker()

        async def run():
            busy = asyncio.create_task(worker.nap.async_run([[int(500 * SLOW)]]))
            await asyncio.sleep(0.1 * SLOW)
            waiting = [asyncio.create_task(worker.once.async_run([[1]])) for _ in range(5)]
            await asyncio.sleep(0.1 * SLOW)
            for task in waiting:
                task.cancel()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            self.assertEqual({type(result) for result in results}, {asyncio.CancelledError})
            self.assertEqual(len(await busy), 1)
            self.assertEqual(await worker.echo.async_run([[2]]), [[2]])
        self.in_loop(run())
        self.assertEqual(self.host.metrics()[CALLS % ("once", "ok")], 0, "no worker was given them")
        self.assertEqual(self.host.metrics()[CALLS % ("once", "error")], 5)

    def test_the_end_of_a_connection_cancels_its_calls(self):
        worker = self.worker()

        async def run():
            tasks = [asyncio.create_task(worker.nap.async_run([[int(500 * SLOW)]])) for _ in range(4)]
            await asyncio.sleep(0.1 * SLOW)
            await self.client.aclose()
            return await asyncio.gather(*tasks, return_exceptions=True)
        results = self.in_loop(run())
        self.assertEqual({type(result) for result in results}, {bento_runner.ConnectionLost})
        eventually(lambda: self.host.metrics()[CALLS % ("nap", "error")] >= 3, what="the cancelling of queued calls")


class Lives(RunnerClientTest):
    def test_a_restarted_host_is_found_again_by_all(self):
        worker = self.worker()

        async def run():
            self.assertEqual(await worker.echo.async_run([[1]]), [[1]])
            self.assertEqual(worker.echo.run([[1]]), [[1]])
            for _ in range(2):
                os.kill(self.host.serving_pid, signal.SIGKILL)
                self.assertEqual(await worker.echo.async_run([[2]]), [[2]])
                self.assertEqual(worker.echo.run([[3]]), [[3]])
        self.in_loop(run())

    def test_a_host_that_dies_with_a_call_loses_only_what_may_not_run_twice(self):
        worker = self.worker()

        async def run():
            self.assertEqual(await worker.echo.async_run([[1]]), [[1]])
            busy = asyncio.create_task(worker.nap.async_run([[int(1000 * SLOW)]]))
            await asyncio.sleep(0.2 * SLOW)
            safe = [asyncio.create_task(worker.echo.async_run([[i]])) for i in range(5)]
            await asyncio.sleep(0.1 * SLOW)
            os.kill(self.host.serving_pid, signal.SIGKILL)
            with self.assertRaises(bento_runner.ConnectionLost):
                await busy
            self.assertEqual(await asyncio.gather(*safe), [[[i]] for i in range(5)])
        self.in_loop(run())

    def load(self, worker):
        """Calls it all the time, awaited and not, until the first of the returned is called, which returns
        the exceptions. The second has the numbers of calls."""
        over, failures, counts = threading.Event(), [], [0, 0]

        def waits():
            while not over.is_set():
                try:
                    assert worker.echo.run([[counts[0]]]) == [[counts[0]]]
                    counts[0] += 1
                except Exception as error:
                    failures.append(error)

        async def awaits():
            while not over.is_set():
                results = await asyncio.gather(*(worker.echo.async_run([[i]]) for i in range(8)),
                                               return_exceptions=True)
                failures.extend(result for result in results if isinstance(result, BaseException))
                counts[1] += 8
            await self.client.aclose()
        threads = [threading.Thread(target=waits), threading.Thread(target=lambda: asyncio.run(awaits()))]
        for thread in threads:
            thread.start()

        def end():
            over.set()
            for thread in threads:
                thread.join()
            return failures
        self.addCleanup(end)
        eventually(lambda: min(counts) > 50, what="load")
        return end, counts

    def test_no_call_is_lost_in_reloads(self):
        file = self.folder() / "liblab.so"
        shutil.copy(LAB, file)
        worker = self.worker(plugin=str(file))
        end, counts = self.load(worker)
        for n in range(3):
            before = list(counts)
            new = file.with_suffix(".new")
            new.write_bytes(Path(LAB).read_bytes() + b"\0" * (n + 1))
            new.rename(file)
            self.host.stderr_lines.clear()
            self.host.process.send_signal(signal.SIGHUP)
            self.host.log_line("reloaded")
            eventually(lambda: all(now > then for now, then in zip(counts, before)), what="more calls")
        self.assertEqual(end(), [])

    def test_no_call_is_lost_in_upgrades(self):
        worker = self.worker()
        end, counts = self.load(worker)
        for _ in range(3):
            before = list(counts)
            self.host.stderr_lines.clear()
            self.host.process.send_signal(signal.SIGUSR2)
            self.host.log_line("upgraded;")
            eventually(lambda: all(now > then for now, then in zip(counts, before)), what="more calls")
        self.assertEqual(end(), [])

    def test_a_stop_waits_for_calls_and_takes_no_more(self):
        worker = self.worker()

        async def run():
            busy = asyncio.create_task(worker.nap.async_run([[int(1000 * SLOW)]]))
            await asyncio.sleep(0.2 * SLOW)
            self.host.process.terminate()
            self.host.log_line("stopping")
            client = bento_runner.connect(self.path)
            with self.assertRaises(bento_runner.Unavailable):
                client.runner("worker").echo.run(array.array("q", [1]))
            self.assertEqual(await busy, [[int(1000 * SLOW)]])
        self.in_loop(run())
        self.assertEqual(self.host.process.wait(timeout=60), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_a_stop_cuts_calls_at_its_limit(self):
        worker = self.worker("--timeout-graceful-shutdown", "0.3")

        async def run():
            busy = asyncio.create_task(worker.nap.async_run([[int(20000 * SLOW)]]))
            await asyncio.sleep(0.2 * SLOW)
            self.host.process.terminate()
            with self.assertRaises(bento_runner.Unavailable):
                await busy
        began = time.monotonic()
        self.client._connect_timeout = 0.1
        self.in_loop(run())
        self.assertEqual(self.host.process.wait(timeout=60), 0)
        self.assertLess(time.monotonic() - began, 15 * SLOW)

    def test_a_child_of_fork_has_connections_of_its_own(self):
        worker = self.worker()
        self.assertEqual(worker.echo.run([[1]]), [[1]])
        self.in_loop(worker.echo.async_run([[1]]))
        children = []
        for n in range(3):
            pid = os.fork()
            if pid == 0:
                code = 1
                with contextlib.suppress(BaseException):
                    for i in range(50):
                        assert worker.echo.run([[n, i]]) == [[n, i]]
                    code = 0 if self.in_loop(worker.echo.async_run([[n]])) == [[n]] else 2
                os._exit(code)
            children.append(pid)
        for i in range(50):
            self.assertEqual(worker.echo.run([[9, i]]), [[9, i]])
        for pid in children:
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(worker.echo.run([[1]]), [[1]])

    def test_a_closed_loop_does_not_disturb_others(self):
        worker = self.worker()
        warnings.simplefilter("ignore", ResourceWarning)  # of the connections that are left behind
        self.addCleanup(warnings.simplefilter, "default", ResourceWarning)
        loop = asyncio.new_event_loop()

        async def begin():
            task = asyncio.ensure_future(worker.nap.async_run([[200]]))
            await asyncio.sleep(0.05)
            self.assertFalse(task.done())
            return task
        task = loop.run_until_complete(begin())
        task._log_destroy_pending = False  # it is meant to be left behind
        loop.close()
        for _ in range(3):  # each closes its loop without closing its connection
            self.assertEqual(asyncio.run(worker.echo.async_run([[4]])), [[4]])
        self.assertEqual(worker.echo.run([[5]]), [[5]])
        self.assertLessEqual(len(self.client._loops), 2)
        del task, loop
        self.client._loops.clear()
        gc.collect()


class Sockets(RunnerClientTest):
    def test_only_this_user_may_connect(self):
        self.serve()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_a_path_that_is_taken_is_refused(self):
        self.serve()
        self.assert_refused(Run("--plugin", LAB, "--port", "0", "--runner-bind", f"unix:{self.path}"),
                            "--runner-bind", self.path, "another process listens there")
        self.assertEqual(self.client.runner("worker").echo.run([[1]]), [[1]])

    def test_a_file_that_is_no_socket_is_left_alone(self):
        file = self.folder() / "notes"
        file.write_text("mine")
        self.assert_refused(Run("--plugin", LAB, "--port", "0", "--runner-bind", f"unix:{file}"), "no socket")
        self.assertEqual(file.read_text(), "mine")

    def test_a_path_must_be_one(self):
        for text in ("/run/x.sock", "unix:", "127.0.0.1:3"):
            self.assert_refused(Run("--plugin", LAB, "--runner-bind", text), "expected unix:PATH", code=2)
        long = "unix:/tmp/" + "x" * 120
        self.assert_refused(Run("--plugin", LAB, "--port", "0", "--runner-bind", long), "choose a shorter one")

    def test_rubbish_is_answered_with_a_reason_and_ends_that_connection_alone(self):
        worker = self.worker()
        self.assertEqual(worker.echo.run([[1]]), [[1]])
        target = struct.pack("<IIHHHH", 0, 1, 0, 6, 4, 0) + b"workerecho"
        for bytes_, words in [
                (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(64), b"magic"),
                (frame(1, b"no json", 0), b"no JSON object"),
                (frame(1, b'{"protocol":2}', 0), b"version 1 of the protocol"),
                (frame(8), b"the first frame must be a hello"),
                (frame(1, b"x" * 5000, 0), b"the hello is too long"),
                (HELLO + frame(4, bytes(8)), b"frames of type 4"),
                (HELLO + frame(6, b"\0"), b"the target is cut short"),
                (HELLO + frame(6, target), b"more values are announced"),
                (HELLO + frame(6, target.ljust(64, b"\0") + b"\x63".ljust(64, b"\0")), b"unknown kind"),
                (HELLO + frame(99), b"unknown type"),
                (HELLO + frame(8, version=3), b"version"),
        ]:
            with self.subTest(words=words):
                sock = self.raw()
                sock.sendall(bytes_)
                last = None
                with contextlib.suppress(ConnectionResetError):
                    while True:
                        read = read_frame(sock)
                        if read is None:
                            break
                        last = read
                self.assertIsNotNone(last)
                kind, id, body = last
                self.assertEqual((kind, id), (5, 0), last)
                self.assertIn(words, body)
        self.assertEqual(worker.echo.run([[1]]), [[1]])

    def test_an_id_that_is_in_flight_is_refused(self):
        self.serve()
        sock = self.raw()
        names = struct.pack("<IIHHHH", 0, 1, 0, 6, 3, 0) + b"workernap"
        value = struct.pack("<IIIIIIQq", 3, 5, 1, 0, 0, 0, 8, 1).ljust(64, b"\0") + struct.pack("<q", 300)
        call = frame(6, names.ljust(64, b"\0") + value, 7)
        sock.sendall(HELLO + call + call)
        self.assertEqual(read_frame(sock)[0], 1)
        kind, id, body = read_frame(sock)
        self.assertEqual((kind, id), (5, 0))
        self.assertIn(b"id 7 is in flight", body)

    def test_frames_may_come_byte_by_byte(self):
        self.serve()
        sock = self.raw()
        for byte in HELLO + frame(8, id=3):
            sock.sendall(bytes([byte]))
        self.assertEqual(read_frame(sock)[0], 1)
        kind, id, body = read_frame(sock)
        self.assertEqual((kind, id), (4, 3))
        self.assertIn(b'"name":"lab"', body)

    def test_a_client_that_reads_nothing_is_read_no_more(self):
        self.serve("--max-queue", "10000")
        sock = self.raw()
        names = struct.pack("<IIHHHH", 0, 1, 0, 6, 4, 0) + b"workerecho"
        data = bytes(8 * 8000)
        value = struct.pack("<IIIIIIQqq", 3, 5, 2, 0, 0, 0, len(data), 1, 8000).ljust(64, b"\0") + data
        calls = 2000
        wire = HELLO + b"".join(frame(6, names.ljust(64, b"\0") + value, id) for id in range(1, calls + 1))
        sock.setblocking(False)
        sent = 0

        def is_stuck():
            nonlocal sent
            before = sent
            until = time.monotonic() + 1 * SLOW
            while time.monotonic() < until and sent < len(wire):
                try:
                    sent += sock.send(wire[sent:sent + (1 << 20)])
                except BlockingIOError:
                    time.sleep(0.01)
            return sent == before
        eventually(is_stuck, seconds=60, what="back-pressure")
        self.assertLess(sent, len(wire))
        # It reads at last, and everything comes.
        sock.settimeout(AT_ONCE)
        sender = threading.Thread(target=lambda: sock.sendall(wire[sent:]))
        sender.start()
        self.assertEqual(read_frame(sock)[0], 1)
        ids = set()
        for _ in range(calls):
            kind, id, body = read_frame(sock)
            self.assertEqual(kind, 4, body)
            ids.add(id)
        sender.join()
        self.assertEqual(len(ids), calls)

    def test_nobody_says_hello_for_ever(self):
        self.serve()
        sock = self.raw()
        sock.settimeout(60 * SLOW)
        kind, id, body = read_frame(sock)
        self.assertEqual((kind, id), (5, 0))
        self.assertIn(b"no hello", body)


class Context(RunnerClientTest):
    def test_the_id_and_the_deadline_of_an_asgi_request_go_along(self):
        worker = self.worker()
        caught = []

        async def app(scope, receive, send):
            for call in (worker.echo.async_run([[-2]]), worker.nap.async_run([[int(5000 * SLOW)]])):
                try:
                    await call
                except bento_runner.RunnerError as error:
                    caught.append(error)

        async def run():
            await bento_runner.AsgiContext(app)(
                {"type": "http", "headers": [(b"x-request-id", b"asgi-7"), (b"x-bento-deadline-ms", b"900")]},
                None, None)
        self.in_loop(run())
        self.assertEqual([error.status for error in caught], [500, 504])
        self.assertIn("request_id=asgi-7", self.host.log_line("a runner call failed"))

    def test_the_id_of_a_wsgi_request_is_in_the_log_also_when_it_streams(self):
        worker = self.worker()

        def app(environ, start_response):
            def body():
                try:
                    worker.echo.run([[-2]])
                except bento_runner.RunnerError as error:
                    yield str(error.status).encode()
            return body()
        environ = {"HTTP_X_REQUEST_ID": "wsgi-8", "HTTP_X_BENTO_DEADLINE_MS": "60000"}
        self.assertEqual(list(bento_runner.WsgiContext(app)(environ, None)), [b"500"])
        line = self.host.log_line("a runner call failed")
        for words in ("a secret of the runner", "request_id=wsgi-8", "runner=worker", "method=echo"):
            self.assertIn(words, line)

    def test_an_app_finds_its_host_by_the_environment(self):
        self.serve()
        code = "import bento_runner; print(bento_runner.runner('worker').echo.run([[6]]), bento_runner.services()[0].name)"
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "BENTO_RUNNER_SOCKET": self.path}
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True,
                              text=True, timeout=AT_ONCE)
        self.assertIn("lab", done.stdout, done.stderr)
        self.assertEqual(done.stderr, "")
        del environment["BENTO_RUNNER_SOCKET"]
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True,
                              timeout=AT_ONCE)
        self.assertIn("BENTO_RUNNER_SOCKET is not set", done.stderr)


NUMPY = """
import asyncio, sys
import numpy as np
import bento_runner
values = bento_runner.connect(sys.argv[1]).runner("values")
x = np.arange(12, dtype="float64").reshape(3, 4)
for each in (x, x.T, x[::2, 1:], np.float64(2.5), np.zeros((0, 3)), x.astype(">f8"), np.asfortranarray(x),
             np.arange(100000.0).reshape(100, 1000).T):
    for result in (values.doubles.run(each), asyncio.run(values.doubles.async_run(each))):
        assert isinstance(result, np.ndarray) and result.dtype == np.float64, result
        assert result.shape == each.shape and (result == each).all(), (each, result)
result[...] = 1  # it may be written to
assert values.doubles.run([np.array([1.0, 2.0]), [np.float32(3), 4]]).tolist() == [[1, 2], [3, 4]]
assert np.asarray(bento_runner.Tensor("int16", (2,), b"\\1\\0\\2\\0")).tolist() == [1, 2]
for wrong, words in ((x.astype("complex"), "complex128"), (x.astype("int32"), "takes float64, got int32"),
                     (np.array([object()]), "object")):
    try:
        values.doubles.run(wrong)
    except bento_runner.InvalidInput as error:
        assert words in str(error), error
    else:
        raise AssertionError(wrong)
assert "pandas" not in sys.modules
try:
    import pandas as pd
except ImportError:
    sys.exit()
frame = pd.DataFrame([{"a": 1.5, "b": 2.5}, {"a": 3.5, "b": 4.5}])
assert values.doubles.run(frame).tolist() == [[1.5, 2.5], [3.5, 4.5]]
assert values.doubles.run(frame["a"]).tolist() == [1.5, 3.5]
try:
    values.doubles.run(pd.DataFrame([{"a": 1.5, "b": "x"}]))
except bento_runner.InvalidInput as error:
    assert "mixed types" in str(error), error
else:
    raise AssertionError("taken")
"""


class Numpy(RunnerClientTest):
    def test_arrays_and_data_frames_are_taken_and_arrays_come_back(self):
        python = next((each for each in (sys.executable, "/usr/bin/python3")
                       if subprocess.run([each, "-c", "import numpy"], capture_output=True).returncode == 0), None)
        if python is None:
            self.skipTest("there is no Python with NumPy")
        self.serve(plugin=VALUES)
        done = subprocess.run([python, "-c", NUMPY, self.path], env={**os.environ, "PYTHONPATH": str(PACKAGE)},
                              capture_output=True, text=True, timeout=60 * SLOW)
        self.assertEqual((done.returncode, done.stderr), (0, ""))



class InputsByName(RunnerClientTest):
    def setUp(self):
        self.mix = self.serve(plugin=BATCHES).runner("mix")

    def test_are_given_by_place_or_as_keywords(self):
        score = self.mix.score
        self.assertEqual(score.run([[1.0, 2.0]]), ([3.0], [2.0]))
        self.assertEqual(score.run([[1, 2]], [[2, 2]]), ([6.0], [8.0]), "what the method declares: float64")
        self.assertEqual(score.run(weights=[[2, 2]], features=[[1, 2]]), ([6.0], [8.0]))
        self.assertEqual(score.run([[1, 2]], weights=None), ([3.0], [2.0]))
        self.assertEqual(self.in_loop(score.async_run(features=[[1, 2]])), ([3.0], [2.0]))

    def test_are_of_any_kind(self):
        summary, loud, back = self.mix.describe.run("h\u00e9", {"a": 1}, b"\0\xff", points=[1, 2.5])
        self.assertEqual((summary["meta"], summary["sum"], loud, back), ({"a": 1}, 3.5, "h\u00e9!", b"\0\xff"))
        summary, _, back = self.mix.describe.run(words="x", blob=None)
        self.assertEqual((summary["meta"], summary["sum"], back), (None, None, b""))

    def test_are_refused_by_name(self):
        for call, words in ((lambda: self.mix.score.run(colour=[1]), "no input \"colour\"; it takes features, weights"),
                            (lambda: self.mix.score.run(weights=[[1, 2]]), "needs its input features"),
                            (lambda: self.mix.score.run(None), "features"),
                            (lambda: self.mix.score.run([[1, 2]], features=[[1, 2]]), "got its input features twice"),
                            (lambda: self.mix.score.run(1, 2, 3), "got 3 inputs"),
                            (lambda: self.mix.score.run([[-1, 2]]), "a feature is negative")):
            with self.assertRaises(bento_runner.InvalidInput) as caught:
                call()
            self.assertIn(words, str(caught.exception))

    def test_are_listed(self):
        methods = {method.name: method for method in self.client.services()[0].runners[0].methods}
        score = methods["score"]
        self.assertEqual([(each["name"], each["optional"]) for each in score.inputs],
                         [("features", False), ("weights", True)])
        self.assertEqual([each["name"] for each in score.outputs], ["sums", "products"])
        self.assertEqual((score.input, score.lists, methods["describe"].lists), (None, False, True))
        self.assertEqual(methods["gather"].inputs, (methods["gather"].input,))


if __name__ == "__main__":
    main()
