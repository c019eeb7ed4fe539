"""bento_runner without a host, or with one of a few lines that does what a host does at the worst moment."""
import array
import asyncio
import os
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "python"))
import bento_runner  # noqa: E402
from bento_runner import Tensor, _context, _frames, _values  # noqa: E402
from bento_runner._tensor import DTYPES  # noqa: E402


class Tensors(unittest.TestCase):
    def test_lists_come_back_as_they_went(self):
        for nested in ([], [1, 2], [[1, 2], [3, 4], [5, 6]], [[[1]], [[2]]], [[], []], 7, [[1.5, 2]], [True, False]):
            tensor = _values.tensor_of(nested)
            self.assertEqual(tensor.tolist(), nested)
            self.assertEqual(type(tensor.tolist()), type(nested))

    def test_a_tensor_is_indexed_along_its_first_axis(self):
        tensor = _values.tensor_of([[1, 2], [3, 4], [5, 6]], "int16")
        self.assertEqual((len(tensor), tensor.ndim, tensor.size, tensor.nbytes), (3, 2, 6, 12))
        self.assertEqual(tensor[-1].tolist(), [5, 6])
        self.assertEqual([row.tolist() for row in tensor], [[1, 2], [3, 4], [5, 6]])
        self.assertEqual(list(tensor[0]), [1, 2])
        self.assertEqual(tensor[1][1], 4)
        self.assertRaises(IndexError, lambda: tensor[3])
        self.assertRaises(ValueError, tensor.item)
        self.assertEqual(tensor[0], _values.tensor_of([1, 2], "int16"))
        self.assertNotEqual(tensor[0], _values.tensor_of([1, 2], "int32"))

    def test_data_that_do_not_fit_the_shape_are_refused(self):
        for dtype, shape, data in (("float64", (2,), bytes(15)), ("float65", (2,), bytes(16)),
                                   ("int8", (-1, -2), bytes(2)), ("int8", (2,), memoryview(bytes(4))[::2])):
            with self.assertRaises(ValueError):
                Tensor(dtype, shape, data)

    def test_numbers_that_do_not_fit_the_dtype_are_named(self):
        for value, dtype, wrong in (([1, 300], "uint8", "300"), ([1, -1], "uint64", "-1"), ([1, 1.5], "int64", "1.5"),
                                    ([1, None], "float64", "None"), (["a"], "float32", "'a'"), ([1], "bool", "bool")):
            with self.assertRaises(bento_runner.InvalidInput) as caught:
                _values.tensor_of(value, dtype)
            self.assertIn(wrong, str(caught.exception))

    def test_ragged_lists_are_refused(self):
        deep = []
        for _ in range(50):
            deep = [deep]
        for value in ([[1], [1, 2]], [1, [2]], [[1], 2], [[[1]], [2]], deep):
            with self.assertRaises(bento_runner.InvalidInput):
                _values.tensor_of(value)


class Values(unittest.TestCase):
    def body(self, *values):
        """A result's body."""
        body = struct.pack("<II", 0, len(values))
        for head, data in values:
            body += _values.padding(len(body)) + head + bytes(data)
        return memoryview(body)

    def test_what_is_encoded_is_decoded(self):
        tensor = _values.tensor_of([[1, 2], [3, 4]])
        cases = [(tensor, None, tensor), ({"a": [1, "ü"]}, None, {"a": [1, "ü"]}), (b"\0\1", None, b"\0\1"),
                 ([1, 2], {"kind": "json"}, [1, 2]), ("x", {"kind": "bytes"}, b"x"), (None, None, None), (True, None, True),
                 ([[1]], {"kind": "tensor", "dtype": "float32"}, Tensor("float32", (1, 1), struct.pack("f", 1)))]
        for name in DTYPES:
            each = Tensor(name, (2, 0), b"")
            cases.append((each, None, each))
        for value, spec, expected in cases:
            found = _values.decode_result(self.body(_values.encode(value, spec)), "tensor")
            self.assertEqual(found, expected)

    def test_several_results_are_a_tuple_and_none_is_none(self):
        two = self.body(_values.encode(b"one", None), _values.encode({"two": 2}, None, "name"))
        self.assertEqual(_values.decode_result(two, "tensor"), (b"one", {"two": 2}))
        self.assertIsNone(_values.decode_result(self.body(), "tensor"))

    def test_text_is_str_by_its_media_type(self):
        head = struct.pack("<IIIIIIQ", _values.BYTES, 0, 0, 0, 10, 0, 3) + b"text/plain"
        self.assertEqual(_values.decode_result(self.body((head + _values.padding(len(head)), b"abc")), "tensor"), "abc")

    def test_buffers_keep_their_shape_and_lose_their_strides(self):
        view = memoryview(array.array("h", range(6))).cast("B").cast("h", (2, 3))
        for value, expected in ((view, [[0, 1, 2], [3, 4, 5]]), (memoryview(array.array("f", [1, 2, 3, 4]))[::2], [1, 3]),
                                (array.array("Q", [2 ** 63]), [2 ** 63]), (array.array("l", [-1]), [-1])):
            self.assertEqual(_values.decode_result(self.body(_values.encode(value, None)), "list"), expected)
        with self.assertRaises(bento_runner.InvalidInput):
            _values.encode(memoryview(b"ab").cast("c"), None)

    def test_what_is_neither_is_refused(self):
        for value, spec in ((object(), None), ({1, 2}, None), (float("nan"), None), ("x", {"kind": "tensor", "dtype": "any"}),
                            ([1], {"kind": "bytes"})):
            with self.assertRaises(bento_runner.InvalidInput):
                _values.encode(value, spec)

    def test_a_frame_that_is_too_long_is_not_sent(self):
        target = _frames.Target("", "r", "m")
        parts = target.call(1, 0, "", [_values.encode(bytes(100), None)], 1024)
        self.assertEqual(sum(map(len, parts)) % 64, 0)
        with self.assertRaises(bento_runner.InvalidInput) as caught:
            target.call(1, 0, "", [_values.encode(bytes(2000), None)], 1024)
        self.assertEqual(caught.exception.status, 413)


class Errors(unittest.TestCase):
    def test_each_code_is_its_own_exception(self):
        for code, status, kind in ((3, 400, bento_runner.InvalidInput), (3, 422, bento_runner.InvalidInput),
                                   (8, 413, bento_runner.InvalidInput), (8, 503, bento_runner.Overloaded),
                                   (4, 504, bento_runner.DeadlineExceeded), (5, 404, bento_runner.NotFound),
                                   (14, 503, bento_runner.Unavailable), (16, 401, bento_runner.Unauthenticated),
                                   (1, 499, bento_runner.Cancelled), (13, 500, bento_runner.RunnerError),
                                   (3, 500, bento_runner.RunnerError), (77, 418, bento_runner.RunnerError)):
            body = memoryview(struct.pack("<iI", code, status) + "größer".encode())
            error = _frames.error_in(body, 0)
            self.assertIs(type(error), kind)
            self.assertEqual((error.status, error.message), (status, "größer"))


class Contexts(unittest.TestCase):
    def seen(self):
        deadline = _context.deadline.get()
        return _context.request_id.get(), None if deadline is None else round(deadline - time.monotonic())

    def test_outside_of_a_request_there_is_none(self):
        with bento_runner.request_context("a", timeout=5):
            with bento_runner.request_context("b"):
                self.assertEqual(self.seen(), ("b", None))
            self.assertEqual(self.seen(), ("a", 5))
        self.assertEqual(self.seen(), ("", None))

    def test_headers_of_asgi(self):
        for value, seconds in ((b"7000", 7), (b"+7", None), (b"1_0", None), (b"", None), (b"9" * 20, None), (b"-1", None)):
            with bento_runner.scope_context({"headers": [(b"X-Request-ID", b"r"), (b"x-bento-deadline-ms", value)]}):
                self.assertEqual(self.seen(), ("r", seconds))

    def test_asgi_middleware_lets_lifespan_through_and_gives_websockets_no_deadline(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(self.seen())
        headers = [(b"x-request-id", b"r"), (b"x-bento-deadline-ms", b"7000")]
        for kind in ("lifespan", "http", "websocket"):
            asyncio.run(bento_runner.AsgiContext(app)({"type": kind, "headers": headers}, None, None))
        self.assertEqual(seen, [("", None), ("r", 7), ("r", None)])

    def test_wsgi_middleware_covers_the_body_and_its_close(self):
        seen, test = [], self

        class Body:
            def __iter__(self):
                seen.append(test.seen())
                yield b"x"
                seen.append(test.seen())

            def close(self):
                seen.append(test.seen())
        environ = {"HTTP_X_REQUEST_ID": "r", "HTTP_X_BENTO_DEADLINE_MS": "7000"}
        body = bento_runner.WsgiContext(lambda environ, start_response: Body())(environ, None)
        self.assertEqual(list(body), [b"x"])
        body.close()
        self.assertEqual(seen, [("r", 7)] * 3)
        self.assertEqual(self.seen(), ("", None))
        self.assertEqual(bento_runner.WsgiContext(lambda e, s: [b"y"])({}, None), [b"y"])


GREETING = _frames.frame(_frames.HELLO, 0, b'{"protocol":1,"host":"t","max_frame":100000,"timeout":60}')
TENSOR = _values.encode(_values.tensor_of([1]), None)


class Faulty:
    """A host of a few lines: serve(connection, number) is called with each client that has been greeted."""

    def __init__(self, serve, greeting=GREETING):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name + "/s"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.serve, self.greeting, self.connections = serve, greeting, 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.greet, args=(connection, self.connections), daemon=True).start()

    def greet(self, connection, number):
        with connection:
            try:
                if read(connection) is not None:
                    connection.sendall(self.greeting)
                    self.serve(connection, number)
            except OSError:  # the client has gone
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.folder.cleanup()


def read(connection):
    """The header of the next frame."""
    data, size = b"", 64
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            return None
        data += piece
        if len(data) == 64:
            size = _frames.size_of(_frames.HEADER.unpack(data))
    return _frames.HEADER.unpack_from(data)


def result(id, value=TENSOR):
    body = struct.pack("<II", 0, 1).ljust(64, b"\0") + value[0] + bytes(value[1])
    return _frames.HEADER.pack(_frames.MAGIC, _frames.VERSION, _frames.RESULT, 0, id, 0, 0, len(body)) + body + _values.padding(len(body))


def error(id, code, status, message=b"", method=0):
    body = struct.pack("<iI", code, status) + message
    return _frames.HEADER.pack(_frames.MAGIC, _frames.VERSION, _frames.ERROR, 0, id, method, 0, len(body)) + body + _values.padding(len(body))


class FaultyHosts(unittest.TestCase):
    def host(self, serve, **options):
        host = Faulty(serve, **options)
        self.addCleanup(host.close)
        return host

    def each_way(self, host, check):
        """Calls it, waiting and awaited, each with a client of its own."""
        argument = Tensor("int64", (1,), struct.pack("q", 1))

        def waiting():
            client = bento_runner.connect(host.path, arrays="list", connect_timeout=2)
            try:
                return client.runner("r").m.run(argument)
            finally:
                client.close()

        async def awaited():
            client = bento_runner.connect(host.path, arrays="list", connect_timeout=2)
            try:
                return await client.runner("r").m.async_run(argument)
            finally:
                await client.aclose()
        for call in (waiting, lambda: asyncio.run(awaited())):
            host.connections = 0
            check(call)

    def test_results_may_come_in_pieces(self):
        def serve(connection, number):
            for byte in result(read(connection)[4]):
                connection.sendall(bytes([byte]))
        self.each_way(self.host(serve), lambda call: self.assertEqual(call(), [1]))

    def test_a_call_that_was_not_begun_is_made_on_a_new_connection(self):
        def serve(connection, number):
            id = read(connection)[4]
            connection.sendall(error(id, 14, 503, b"stopping", 1) if number == 1 else result(id))
            read(connection)
        host = self.host(serve)

        def check(call):
            self.assertEqual(call(), [1])
            self.assertEqual(host.connections, 2)
        self.each_way(host, check)

    def test_a_host_that_begins_nothing_is_unavailable_in_the_end(self):
        def serve(connection, number):
            connection.sendall(error(read(connection)[4], 14, 503, b"stopping", 1))
            read(connection)
        host = self.host(serve)

        def check(call):
            with self.assertRaisesRegex(bento_runner.Unavailable, "stopping"):
                call()
            self.assertLess(host.connections, 5)
        self.each_way(host, check)

    def test_a_host_that_ends_with_the_call_loses_it(self):
        def serve(connection, number):
            read(connection)
        host = self.host(serve)

        def check(call):
            with self.assertRaises(bento_runner.ConnectionLost):
                call()
        self.each_way(host, check)

    def test_a_result_that_is_cut_is_a_lost_connection(self):
        def serve(connection, number):
            connection.sendall(result(read(connection)[4])[:-70])

        def check(call):
            with self.assertRaises(bento_runner.ConnectionLost):
                call()
        self.each_way(self.host(serve), check)

    def test_a_host_that_never_answers_is_given_up_after_the_timeout(self):
        host = self.host(lambda connection, number: (read(connection), read(connection)))

        def check(call):
            began = time.monotonic()
            with bento_runner.request_context(timeout=0.1), self.assertRaises(bento_runner.DeadlineExceeded):
                call()
            self.assertGreater(time.monotonic() - began, 0.1)
        self.each_way(host, check)

    def test_rubbish_is_a_lost_connection(self):
        def serve(connection, number):
            read(connection)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n".ljust(64))
            read(connection)

        def check(call):
            with self.assertRaisesRegex(bento_runner.ConnectionLost, "no bentohost"):
                call()
        self.each_way(self.host(serve), check)

    def test_who_does_not_greet_is_unavailable(self):
        for greeting, words in ((b"SSH-2.0-OpenSSH_9.2\r\n".ljust(64), "no bentohost"),
                                (_frames.frame(_frames.HELLO, 0, b'{"protocol":2}'), "version 2"),
                                (_frames.frame(_frames.HELLO, 0, b"[]"), "")):
            host = self.host(lambda connection, number: read(connection), greeting=greeting)

            def check(call):
                with self.assertRaisesRegex(bento_runner.Unavailable, words):
                    call()
            self.each_way(host, check)

    def test_why_the_host_cuts_off_is_told(self):
        def check(call):
            with self.assertRaisesRegex(bento_runner.Unauthenticated, "the token is wrong"):
                call()
        self.each_way(self.host(lambda *_: None, greeting=error(0, 16, 401, b"the token is wrong")), check)

        def serve(connection, number):
            read(connection)
            connection.sendall(error(0, 8, 503, b"too many clients"))

        def check_late(call):
            with self.assertRaisesRegex(bento_runner.Overloaded, "too many clients"):
                call()
        self.each_way(self.host(serve), check_late)

    def test_nobody_there_is_unavailable_at_once(self):
        began = time.monotonic()
        with self.assertRaisesRegex(bento_runner.Unavailable, "/nowhere"):
            bento_runner.connect("/nowhere/s").runner("r").m.run(b"")
        with self.assertRaisesRegex(bento_runner.Unavailable, "/nowhere"):
            asyncio.run(bento_runner.connect("/nowhere/s").runner("r").m.async_run(b""))
        self.assertLess(time.monotonic() - began, 2)

    def test_an_interrupted_call_is_not_mistaken_for_the_next(self):
        interrupted = threading.Event()

        def serve(connection, number):
            header = read(connection)
            while header is not None:
                if number == 1:  # it answers too late
                    interrupted.wait(10)
                    connection.sendall(result(header[4], _values.encode(b"late", None)))
                else:
                    connection.sendall(result(header[4]))
                header = read(connection)
        client = bento_runner.connect(self.host(serve).path, arrays="list", connect_timeout=2)
        self.addCleanup(client.close)
        method = client.runner("r").m
        import signal

        def interrupt(*_):
            raise KeyboardInterrupt
        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with self.assertRaises(KeyboardInterrupt):
            method.run(b"x")
        interrupted.set()
        self.assertEqual(method.run(b"x"), [1])

    def test_a_result_of_a_cancelled_call_is_dropped(self):
        def serve(connection, number):
            ids = [read(connection)[4], read(connection)[4]]
            assert read(connection)[2] == _frames.CANCEL
            connection.sendall(result(ids[0]) + result(ids[1], _values.encode(b"second", None)))
            read(connection)

        async def run():
            client = bento_runner.connect(self.host(serve).path)
            method = client.runner("r").m
            first = asyncio.ensure_future(method.async_run(b"1"))
            await asyncio.sleep(0.1)  # so that each is a write of its own
            second = asyncio.ensure_future(method.async_run(b"2"))
            await asyncio.sleep(0.1)
            first.cancel()
            try:
                self.assertEqual(await second, b"second")
                with self.assertRaises(asyncio.CancelledError):
                    await first
            finally:
                await client.aclose()
        asyncio.run(run())

    def test_who_waits_to_be_connected_may_be_cancelled_and_others_go_on(self):
        held = threading.Event()

        def serve(connection, number):
            header = read(connection)
            while header is not None:
                connection.sendall(result(header[4]))
                header = read(connection)
        host = self.host(serve)
        greet = host.greet
        host.greet = lambda *arguments: held.wait(10) and greet(*arguments)

        async def run():
            client = bento_runner.connect(host.path, arrays="list")
            tasks = [asyncio.ensure_future(client.runner("r").m.async_run(b"1")) for _ in range(3)]
            await asyncio.sleep(0.1)
            tasks[0].cancel()
            await asyncio.sleep(0)
            held.set()
            try:
                self.assertEqual(await asyncio.gather(*tasks[1:]), [[1], [1]])
                self.assertEqual(host.connections, 1)
            finally:
                await client.aclose()
        asyncio.run(run())


if __name__ == "__main__":
    os.environ.pop("BENTO_RUNNER_SOCKET", None)
    unittest.main()
