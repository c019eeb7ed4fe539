"""bento_wsgi: wsgi.input, and bodies that are not read."""
import hashlib
import json
import random
import unittest

from wsgi_worker import WorkerTest

# "/read/5/-1": read(5), then read(); answers what each gave.
CALLS = """
    import json, sys
    def app(environ, start_response):
        stream = environ["wsgi.input"]
        results = []
        for call in environ["PATH_INFO"].split("/")[1:]:
            name, *arguments = call.split(",")
            result = list(stream) if name == "iter" else getattr(stream, name)(*map(int, arguments))
            results.append([line.decode() for line in result] if isinstance(result, list) else result.decode())
        start_response("200 OK", [])
        return [json.dumps(results).encode()]
"""
LINES = b"one\ntwo\n\nthree"
READS = (
    ("/read", ["one\ntwo\n\nthree"]),
    ("/read,3/read,0/read,2/read/read/read,5", ["one", "", "\nt", "wo\n\nthree", "", ""]),
    ("/read,-1", ["one\ntwo\n\nthree"]),
    ("/read,1000", ["one\ntwo\n\nthree"]),
    ("/readline/readline/readline/readline/readline", ["one\n", "two\n", "\n", "three", ""]),
    ("/readline,2/readline,2/readline,100/readline,0/readline,-1", ["on", "e\n", "two\n", "", "\n"]),
    ("/readline/read,2/readline/read", ["one\n", "tw", "o\n", "\nthree"]),
    ("/iter", [["one\n", "two\n", "\n", "three"]]),
    ("/readlines", [["one\n", "two\n", "\n", "three"]]),
    ("/readlines,5/read", [["one\n", "two\n"], "\nthree"]),
    ("/read,4/iter/read", ["one\n", ["two\n", "\n", "three"], ""]),
)


class Reading(WorkerTest):
    def test_each_way_to_read_gives_the_whole_body(self):
        worker = self.serve(CALLS)
        for calls, results in READS:
            with worker.connect() as connection:
                self.assertEqual(json.loads(connection.ask(calls, "POST", body=LINES).reply().body), results, calls)
                for size in (1, 3, 100):
                    chunks = [LINES[i:i + size] for i in range(0, len(LINES), size)]
                    connection.ask_in_chunks(chunks, calls)
                    self.assertEqual(json.loads(connection.reply().body), results, (calls, size))

    def test_a_body_may_come_in_single_bytes(self):
        worker = self.serve(CALLS)
        with worker.connect() as connection:
            for calls, results in READS:
                connection.ask(calls, "POST", [("Content-Length", str(len(LINES)))])
                for byte in LINES:
                    connection.send(bytes([byte]))
                self.assertEqual(json.loads(connection.reply().body), results, calls)
                connection.ask(calls, "POST", [("Transfer-Encoding", "chunked")])
                for byte in b"5;a=b\r\none\nt\r\n0008\r\nwo\n\nthre\r\n1 ; x\r\ne\r\n0\r\nA: b\r\nC: d\r\n\r\n":
                    connection.send(bytes([byte]))
                self.assertEqual(json.loads(connection.reply().body), results, calls)

    def test_without_a_body_there_is_nothing_to_read(self):
        self.assertEqual(json.loads(self.serve(CALLS).ask("/read/read,5/readline/readlines/iter").body),
                         ["", "", "", [], []])

    def test_a_body_is_given_to_the_app_as_it_comes(self):
        worker = self.serve("""
            def app(environ, start_response):
                start_response("200 OK", [])
                yield b"begun"
                while True:
                    line = environ["wsgi.input"].readline()
                    if not line:
                        return
                    yield b"got " + line
        """)
        with worker.connect() as connection:
            connection.ask("/", "POST", [("Transfer-Encoding", "chunked")])
            self.assertEqual(connection.head().status, 200)
            self.assertEqual(connection.block(), b"begun")
            for _ in range(3):
                connection.send(b"5\r\nline\n\r\n")
                self.assertEqual(connection.block(), b"got line\n")
            connection.send(b"0\r\n\r\n")
            self.assertEqual(connection.block(), b"")

    def test_any_cut_of_a_long_body_is_put_together_again(self):
        worker = self.serve("""
            import hashlib, random
            def app(environ, start_response):
                stream, digest = environ["wsgi.input"], hashlib.sha256()
                cuts = random.Random(int(environ["QUERY_STRING"]))
                data = True
                while data:
                    size = cuts.choice((1, 7, 4096, 65535, 65536, 65537, 300000))
                    data = stream.readline(size) if cuts.random() < 0.3 else stream.read(size)
                    digest.update(data)
                start_response("200 OK", [])
                return [digest.hexdigest().encode()]
        """)
        dice = random.Random(7)
        body = dice.randbytes(3_000_000)
        with worker.connect() as connection:
            for seed in range(8):
                if seed % 2:
                    connection.ask(f"/?{seed}", "POST", body=body)
                else:
                    at, chunks = 0, []
                    while at < len(body):
                        chunks.append(body[at:at + dice.choice((1, 10, 65536, 70000, 200000))])
                        at += len(chunks[-1])
                    connection.ask_in_chunks(chunks, f"/?{seed}")
                self.assertEqual(connection.reply().text, hashlib.sha256(body).hexdigest())

    def test_many_megabytes_pass_in_constant_memory(self):
        worker = self.serve("""
            def app(environ, start_response):
                start_response("200 OK", [])
                return iter(lambda: environ["wsgi.input"].read(1 << 16), b"")
        """)
        worker.ask()
        before, block = worker.memory(), b"x" * (1 << 16)
        with worker.connect() as connection:
            connection.ask("/", "POST", [("Content-Length", str(64 << 20))])
            reply = None
            for _ in range(1024):  # up and down in turns
                connection.send(block)
                reply = reply or connection.head()
                taken = 0
                while taken < len(block):
                    taken += len(connection.block())
            self.assertEqual(connection.block(), b"")
        self.assertLess(worker.memory() - before, 4 << 20)


class Broken(WorkerTest):
    READS_ALL = """
        def app(environ, start_response):
            data = environ["wsgi.input"].read()
            start_response("200 OK", [])
            return [data]
    """

    def test_chunks_that_are_none_are_refused(self):
        worker = self.serve(self.READS_ALL)
        for chunks in (b"x\r\n", b"-1\r\n", b"+1\r\na\r\n0\r\n\r\n", b"0x1\r\na\r\n0\r\n\r\n", b"1\na\n0\n\n", b"1 a\r\n",
                       b"\r\n", b"1\r\nab\r\n0\r\n\r\n", b"1_0\r\n", b"1000000000000000\r\n", b"1" * 5000, b" 1\r\na\r\n",
                       b"1;a\rb\r\na\r\n", b"0\r\n" + b"A: b\r\n" * 20000, b"0\r\n" + b"A" * 70000):
            with self.subTest(chunks[:30]), worker.connect() as connection:
                connection.ask("/", "POST", [("Transfer-Encoding", "chunked")])
                try:
                    connection.send(chunks)
                except BrokenPipeError:
                    pass  # it has answered already
                reply = connection.reply()
                self.assertEqual((reply.status, reply.header("connection")), (400, "close"))
                self.assertTrue(connection.is_closed())

    def test_a_body_that_breaks_off_is_an_error_and_never_looks_whole(self):
        worker = self.serve("""
            import sys
            def app(environ, start_response):
                for _ in range(2):
                    try:
                        environ["wsgi.input"].read()
                        print("whole", file=sys.stderr)
                    except OSError as error:
                        print(f"<{type(error).__name__}: {error}>", file=sys.stderr)
                start_response("200 OK", [])
                return [b""]
        """)
        for body in (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
                     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab",
                     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"):
            with worker.connect() as connection:
                connection.send(body).sock.shutdown(1)
                self.assertEqual(connection.reply().header("connection"), "close")
        self.assertEqual(worker.stderr(), "<ClientDisconnected: the request's body breaks off: its connection was closed>\n" * 6)

    def test_a_client_that_is_gone_is_no_error_of_the_app(self):
        worker = self.serve(self.READS_ALL)
        with worker.connect() as connection:
            connection.ask("/", "POST", [("Content-Length", "5")]).send(b"ab")
        self.assertEqual(worker.ask().status, 200)
        self.assertEqual(worker.stderr(), "")


class Unread(WorkerTest):
    def setUp(self):
        self.worker = self.serve("""
            def app(environ, start_response):
                environ["wsgi.input"].read(int(environ["QUERY_STRING"] or "0"))
                start_response("200 OK", [("Content-Length", "2")])
                return [b"ok"]
        """)

    def test_what_is_here_is_dropped_and_the_connection_goes_on(self):
        with self.worker.connect() as connection:
            for size in (1, 1000, 50_000):
                self.assertIsNone(connection.ask("/", "POST", body=b"x" * size).reply().header("connection"), size)
            # The end of the last chunk is not asked for by one who knows the size.
            self.assertIsNone(connection.ask_in_chunks([b"abc"], "/?3").reply().header("connection"))
            self.assertTrue(connection.can_be_used())

    def test_for_what_has_not_come_the_answer_does_not_wait(self):
        for start in (b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                      b"Content-Length: 1000000000\r\n\r\n"):
            with self.worker.connect() as connection:
                reply = connection.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + start).reply()
                self.assertEqual((reply.body, reply.header("connection")), (b"ok", "close"))
                self.assertTrue(connection.is_closed())

    def test_a_large_upload_meets_its_answer_and_a_closed_connection(self):
        with self.worker.connect() as connection:
            connection.ask("/", "POST", [("Content-Length", str(64 << 20))])
            with self.assertRaises(OSError):
                while True:
                    connection.send(b"x" * (1 << 16))
            self.assertEqual(connection.reply().body, b"ok")


if __name__ == "__main__":
    unittest.main()
