"""bento_wsgi: what becomes of an app's response."""
import gzip
import time
import unittest

from wsgi_worker import WorkerTest, eventually

# PEP 3333 clause by clause; each app is also checked by wsgiref.validate. `/name` calls app `name`.
TABLE = """
    import sys
    from wsgiref.validate import validator
    TEXT = [("Content-Type", "text/plain")]

    class Closing:
        def __init__(self, blocks):
            self.blocks = blocks
        def __iter__(self):
            return iter(self.blocks)
        def close(self):
            print("closed", file=sys.stderr)

    class OneBlock(Closing):
        def __len__(self):
            return 1

    class AppObject:
        def __call__(self, environ, start_response):
            start_response("200 OK", TEXT)
            return [b"object"]

    def one_block(environ, start_response):
        start_response("200 OK", TEXT)
        return [b"one"]
    def two_blocks(environ, start_response):
        start_response("200 OK", TEXT)
        return [b"one", b"two"]
    def large_blocks(environ, start_response):
        start_response("200 OK", TEXT)
        return [b"a" * 100_000, b"b" * 300_000, b""]
    def no_block(environ, start_response):
        start_response("200 OK", TEXT)
        return []
    def an_empty_block(environ, start_response):
        start_response("200 OK", TEXT)
        return [b""]
    def a_tuple(environ, start_response):
        start_response("200 OK", TEXT)
        return (b"a", b"b")
    def iterable(environ, start_response):
        start_response("200 OK", TEXT)
        return Closing([b"a", b"", b"b"])
    def iterable_of_one(environ, start_response):
        start_response("200 OK", TEXT)
        return OneBlock([b"just one"])
    def generator(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"a"
        yield b""
        yield b"b"
    def late_start(environ, start_response):
        start_response("200 OK", TEXT)
        yield b""
        yield b"late"
    def nothing_generated(environ, start_response):
        start_response("200 OK", TEXT)
        return iter(())
    def sized(environ, start_response):
        start_response("200 OK", TEXT + [("Content-Length", "4")])
        yield b"ab"
        yield b"cd"
    def not_found(environ, start_response):
        start_response("404 Not Found", TEXT)
        return [b"none"]
    def own_status(environ, start_response):
        start_response("299 As One Likes", TEXT)
        return [b""]
    def headers(environ, start_response):
        start_response("200 OK", TEXT + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "caf\\xe9")])
        return [b"x"]
    def no_content(environ, start_response):
        start_response("204 No Content", [])
        return []
    def not_modified(environ, start_response):
        start_response("304 Not Modified", [("ETag", '"a"')])
        return []
    def write(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"written, ")
        write(b"twice, ")
        return [b"returned"]
    def write_sized(environ, start_response):
        write = start_response("200 OK", TEXT + [("Content-Length", "8")])
        write(b"1234")
        write(b"5678")
        return []
    def write_alone(environ, start_response):
        start_response("200 OK", TEXT)(b"alone")
        return []
    def replaced(environ, start_response):
        start_response("200 OK", TEXT + [("X-First", "1")])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Oops", TEXT, sys.exc_info())
        return [b"oops"]
    def replaced_by_none(environ, start_response):
        start_response("200 OK", TEXT, None)
        return [b"none"]
    def reads(environ, start_response):
        stream = environ["wsgi.input"]
        data = stream.read(3) + stream.readline() + b"".join(stream.readlines()) + b"".join(stream)
        start_response("200 OK", TEXT)
        return [data]
    def errors(environ, start_response):
        environ["wsgi.errors"].write("a line ")
        environ["wsgi.errors"].writelines(["of", " errors\\n"])
        environ["wsgi.errors"].flush()
        start_response("200 OK", TEXT)
        return [b""]
    called_object = AppObject()

    def app(environ, start_response):
        chosen = globals()[environ["PATH_INFO"].lstrip("/") or "one_block"]
        return validator(chosen)(environ, start_response)
"""
SIZED, CHUNKED = "sized", "chunked"
EXPECTED = {
    # name: (status, body, framing). The validator's iterables have no len(), and so no known length.
    "one_block": (200, b"one", CHUNKED), "two_blocks": (200, b"onetwo", CHUNKED),
    "large_blocks": (200, b"a" * 100_000 + b"b" * 300_000, CHUNKED), "no_block": (200, b"", SIZED),
    "an_empty_block": (200, b"", SIZED), "a_tuple": (200, b"ab", CHUNKED), "iterable": (200, b"ab", CHUNKED),
    "iterable_of_one": (200, b"just one", CHUNKED), "generator": (200, b"ab", CHUNKED),
    "late_start": (200, b"late", CHUNKED), "nothing_generated": (200, b"", SIZED), "sized": (200, b"abcd", SIZED),
    "not_found": (404, b"none", CHUNKED), "own_status": (299, b"", SIZED), "headers": (200, b"x", CHUNKED),
    "write": (200, b"written, twice, returned", CHUNKED), "write_sized": (200, b"12345678", SIZED),
    "write_alone": (200, b"alone", CHUNKED), "replaced": (500, b"oops", CHUNKED),
    "replaced_by_none": (200, b"none", CHUNKED), "reads": (200, b"abc\nd\ne", CHUNKED), "errors": (200, b"", SIZED),
    "called_object": (200, b"object", CHUNKED)}
# Without the validator around them.
KNOWN_LENGTHS = ("one_block", "two_blocks", "large_blocks", "a_tuple", "iterable_of_one", "not_found", "headers",
                 "replaced", "replaced_by_none", "reads", "called_object")


class Table(WorkerTest):
    def check(self, worker, expected):
        with worker.connect() as connection:
            for name, (status, body, framing) in expected.items():
                with self.subTest(name):
                    reply = connection.ask("/" + name, "POST", body=b"abc\nd\ne").reply()
                    self.assertEqual((reply.status, reply.body, reply.is_whole), (status, body, True))
                    self.assertEqual((reply.header("transfer-encoding"), reply.header("content-length")),
                                     ("chunked", None) if framing is CHUNKED else (None, str(len(body))))
                    self.assertIsNone(reply.header("connection"))
                    head = connection.ask("/" + name, "HEAD").reply(is_head=True)
                    self.assertEqual(head.status, status)

    def test_each_clause_of_pep_3333_holds_and_the_validator_agrees(self):
        worker = self.serve(TABLE)
        self.check(worker, EXPECTED)
        self.assertNotIn("AssertionError", worker.stderr())
        self.assertIn("a line of errors\n", worker.stderr())

    def test_without_the_validator_lengths_are_known(self):
        worker = self.serve(TABLE.replace("validator(chosen)", "chosen"))
        self.check(worker, {name: (status, body, SIZED if name in KNOWN_LENGTHS else framing)
                            for name, (status, body, framing) in EXPECTED.items()})

    def test_a_table_of_headers(self):
        reply = self.serve(TABLE).ask("/headers")
        self.assertEqual([item for item in reply.headers if item[0] in ("set-cookie", "x-latin")],
                         [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-latin", "caf\xe9")])
        self.assertIsNone(self.serve(TABLE).ask("/replaced").header("x-first"))

    def test_204_and_304_have_neither_body_nor_chunks(self):
        worker = self.serve(TABLE)
        with worker.connect() as connection:
            for name, status in (("no_content", 204), ("not_modified", 304)):
                reply = connection.ask("/" + name).reply()
                self.assertEqual((reply.status, reply.header("content-length"), reply.header("transfer-encoding")),
                                 (status, None, None))
            self.assertTrue(connection.can_be_used())


class Bodyless(WorkerTest):
    def test_no_byte_of_a_body_follows_a_head_204_or_304(self):
        worker = self.serve("""
            import sys
            def app(environ, start_response):
                status, _, length = environ["QUERY_STRING"].partition("&")
                start_response(status + " X", [("Content-Length", length)] if length else [])
                try:
                    while True:
                        yield b"x" * 1000
                finally:
                    print("closed", file=sys.stderr)
        """)
        with worker.connect() as connection:
            for method, query, length in (("HEAD", "200", None), ("HEAD", "200&10", "10"), ("GET", "204&10", None),
                                          ("GET", "204", None), ("GET", "304&10", "10"), ("GET", "304", None)):
                reply = connection.ask("/?" + query, method).reply(is_head=True)
                self.assertEqual((reply.header("content-length"), reply.header("transfer-encoding")), (length, None))
            self.assertEqual(connection.received, b"")
            self.assertTrue(connection.ask("/?204").reply().status, 204)
        eventually(lambda: worker.stderr() == "closed\n" * 7, "close() of each iterable")

    def test_a_head_tells_the_length_of_what_get_would_give(self):
        worker = self.serve("""
            def app(environ, start_response):
                start_response("200 OK", [])
                return [b"four"]
        """)
        self.assertEqual(worker.ask("/", "HEAD").header("content-length"), "4")


class Faults(WorkerTest):
    PROGRAM = """
        import sys
        OK = "200 OK"
        class Closing:
            def __init__(self, blocks):
                self.blocks = blocks
            def __iter__(self):
                return iter(self.blocks)
            def close(self):
                print("closed", file=sys.stderr)
        def failing(blocks, error=RuntimeError("broken")):
            yield from blocks
            raise error
        def status_of(status):
            def start(environ, start_response):
                start_response(status, [])
                return [b""]
            return start
        def header_of(*headers):
            def start(environ, start_response):
                start_response(OK, list(headers))
                return [b""]
            return start
        def result_of(result, *headers):
            def start(environ, start_response):
                start_response(OK, list(headers))
                return result() if callable(result) else result
            return start
        def raises(environ, start_response):
            raise RuntimeError("broken")
        def exits(environ, start_response):
            sys.exit(3)
        def raises_after_start(environ, start_response):
            start_response(OK, [("X-First", "1")])
            raise RuntimeError("broken")
        def never_starts(environ, start_response):
            return [b"x"]
        def never_starts_nor_answers(environ, start_response):
            return []
        def starts_twice(environ, start_response):
            start_response(OK, [])
            start_response(OK, [])
            return [b""]
        def restarts_too_late(environ, start_response):
            write = start_response(OK, [])
            write(b"x")
            try:
                raise RuntimeError("broken")
            except RuntimeError:
                start_response("500 Oops", [], sys.exc_info())
            return [b""]
        def close_fails(environ, start_response):
            class Failing(Closing):
                def close(self):
                    raise RuntimeError("broken")
            start_response(OK, [])
            return Failing([b"a", b"b"])
        async def coroutine():
            pass
        APPS = dict(
            raises=raises, exits=exits, raises_after_start=raises_after_start, never_starts=never_starts,
            never_starts_nor_answers=never_starts_nor_answers, starts_twice=starts_twice,
            no_status=status_of("OK"), int_status=status_of(200), bytes_status=status_of(b"200 OK"),
            control_status=status_of("200 O\\rK"), informational=status_of("100 Continue"), cjk_status=status_of("200 \\u4e00"),
            newline=header_of(("X-A", "1\\r\\nX-B: 2")), bare_newline=header_of(("X-A", "1\\n2")), nul=header_of(("X-A", "\\0")),
            delete=header_of(("X-A", "\\x7f")), newline_name=header_of(("X-A\\r\\nX-B", "1")), no_name=header_of(("", "1")),
            space_name=header_of(("X A", "1")), bytes_name=header_of((b"X-A", "1")), bytes_value=header_of(("X-A", b"1")),
            int_value=header_of(("X-A", 1)), cjk=header_of(("X-A", "\\u4e00")), no_pair=header_of("X-A: 1"),
            connection=header_of(("Connection", "close")), chunked=header_of(("Transfer-Encoding", "chunked")),
            upgrade=header_of(("UPGRADE", "x")), keep_alive=header_of(("Keep-Alive", "timeout=5")), te=header_of(("TE", "x")),
            trailer=header_of(("Trailer", "x")), bad_length=header_of(("Content-Length", "+1")),
            two_lengths=header_of(("Content-Length", "1"), ("Content-Length", "2")),
            text=result_of(["text"]), none=result_of(None), numbers=result_of([1]), string=result_of("text"),
            asgi_like=result_of(coroutine), fails_at_once=result_of(lambda: failing([])),
            fails_after_nothing=result_of(lambda: failing([b""])), exits_at_once=result_of(lambda: failing([], SystemExit(1))),
            cut=result_of(lambda: failing([b"a"])), cut_sized=result_of(lambda: failing([b"a"]), ("Content-Length", "5")),
            cut_exit=result_of(lambda: failing([b"a"], SystemExit(1))), cut_type=result_of(lambda: iter([b"a", "b"])),
            too_short=result_of([b"abc"], ("Content-Length", "5")), restarts_too_late=restarts_too_late,
            too_long=result_of([b"abcdefg"], ("Content-Length", "5")),
            too_long_later=result_of(Closing([b"abc", b"defg", b"h"]), ("Content-Length", "5")), close_fails=close_fails,
            good=result_of([b"good"]))
        def app(environ, start_response):
            return APPS[environ["PATH_INFO"].lstrip("/") or "good"](environ, start_response)
    """
    BEFORE_THE_HEAD = (
        "raises exits raises_after_start never_starts never_starts_nor_answers starts_twice no_status int_status "
        "bytes_status control_status informational cjk_status newline bare_newline nul delete newline_name no_name "
        "space_name bytes_name bytes_value int_value cjk no_pair connection chunked upgrade keep_alive te trailer "
        "bad_length two_lengths text none numbers string asgi_like fails_at_once fails_after_nothing "
        "exits_at_once").split()

    def setUp(self):
        self.worker = self.serve(self.PROGRAM)

    def test_a_fault_before_the_head_is_500_and_logged(self):
        with self.worker.connect() as connection:
            for name in self.BEFORE_THE_HEAD:
                with self.subTest(name):
                    reply = connection.ask("/" + name, headers=[("X-Request-ID", f"id-{name}")]).reply()
                    self.assertEqual((reply.status, reply.body, reply.header("content-type")),
                                     (500, b"Internal Server Error\n", "text/plain; charset=utf-8"))
                    self.assertIsNone(reply.header("x-first"))
                    self.assertIn(f"bento_wsgi: error in GET /{name} (request id-{name})\n", self.worker.stderr())
            self.assertEqual(connection.ask().reply().body, b"good")

    def test_the_log_has_the_apps_traceback_and_words_that_help(self):
        def log_of(name):
            before = len(self.worker.stderr())
            self.worker.ask("/" + name)
            return self.worker.stderr()[before:]
        self.assertIn('app.py", line', log_of("raises"))
        self.assertIn("RuntimeError: broken\n", log_of("raises"))
        self.assertIn("SystemExit: 3\n", log_of("exits"))
        self.assertIn("sets Connection, which belongs to the connection and so to the server", log_of("connection"))
        self.assertIn("before it called start_response()", log_of("never_starts"))
        self.assertIn("the value of X-A must be a str, not int", log_of("int_value"))
        self.assertIn(r"a control character in the status or in a header: 'X-A: 1\r\nX-B: 2'", log_of("newline"))
        self.assertIn("the app gave str where a block of its response, bytes, was expected", log_of("text"))

    def test_a_fault_after_the_head_cuts_the_response_off(self):
        for name in ("cut", "cut_sized", "cut_exit", "cut_type", "too_short", "restarts_too_late"):
            with self.subTest(name), self.worker.connect() as connection:
                reply = connection.ask("/" + name).reply()
                self.assertEqual((reply.status, reply.is_whole), (200, False))
                self.assertTrue(connection.is_closed())
                self.assertIn("the response is cut off", self.worker.stderr())

    def test_no_more_is_sent_than_the_content_length(self):
        for name in ("too_long", "too_long_later"):
            with self.subTest(name), self.worker.connect() as connection:
                reply = connection.ask("/" + name).reply()
                self.assertEqual((reply.body, reply.is_whole), (b"abcde", True))
                self.assertTrue(connection.is_closed())
        self.assertEqual(self.worker.stderr().count("the app gave 2 bytes or more beyond its Content-Length"), 2)

    def test_a_close_that_fails_is_logged_and_the_response_is_whole(self):
        with self.worker.connect() as connection:
            self.assertEqual(connection.ask("/close_fails").reply().body, b"ab")
            self.assertTrue(connection.can_be_used())
        self.assertIn("RuntimeError: broken", self.worker.stderr())


class Streams(WorkerTest):
    def test_each_block_is_sent_before_the_next_is_asked_for(self):
        worker = self.serve("""
            import os
            def app(environ, start_response):
                start_response("200 OK", [])
                for name in ("one", "two"):
                    yield name.encode()
                    while not os.path.exists(name):  # until the client has it
                        pass
        """)
        with worker.connect() as connection:
            connection.ask().head()
            for name in ("one", "two"):
                self.assertEqual(connection.block(), name.encode())
                open(f"{worker.folder}/{name}", "w").close()
            self.assertEqual(connection.block(), b"")

    ENDLESS = """
        import sys
        class Endless:
            def __iter__(self):
                return self
            count = 0
            def __next__(self):
                Endless.count += 1
                return b"x" * 100_000
            def close(self):
                print("closed", file=sys.stderr)
        def app(environ, start_response):
            write = start_response("200 OK", [])
            if environ["PATH_INFO"] == "/write":
                try:
                    while True:
                        write(b"x" * 100_000)
                finally:
                    print("closed", file=sys.stderr)
            if environ["PATH_INFO"] == "/count":
                return [b"%d" % Endless.count]
            return Endless() if environ["PATH_INFO"] == "/endless" else [b"ok"]
    """

    def test_a_client_that_goes_ends_the_iteration_without_an_error(self):
        worker = self.serve(self.ENDLESS)
        for count, path in enumerate(("/endless", "/write"), 1):
            with worker.connect() as connection:
                connection.ask(path).head()
                connection.block()
            eventually(lambda: worker.stderr() == "closed\n" * count, "close() alone in the log")

    def test_a_client_that_does_not_read_stops_the_app(self):
        worker = self.serve(self.ENDLESS)
        worker.ask()
        before = worker.memory()
        with worker.connect() as connection:
            connection.ask("/endless").head()
            for _ in range(10):
                self.assertEqual(worker.ask().body, b"ok")  # the other threads go on
            # It is not asked for a further block while nothing is read.
            counts = [int(worker.ask("/count").body)]
            eventually(lambda: counts.append(int(worker.ask("/count").body)) or counts[-1] == counts[-2],
                       "the end of the blocks")
            self.assertLess(counts[-1], 20)
            self.assertLess(worker.memory() - before, 2 << 20)

    def test_as_many_connections_are_served_as_there_are_threads(self):
        worker = self.serve("""
            import threading
            together = threading.Barrier(4, timeout=20)
            def app(environ, start_response):
                together.wait()
                start_response("200 OK", [])
                return [b"all"]
        """, "--threads", "4")
        connections = [worker.connect() for _ in range(4)]
        for connection in connections:
            connection.ask()
        for connection in connections:
            with connection:
                self.assertEqual(connection.reply().body, b"all")


class Files(WorkerTest):
    PROGRAM = """
        import gzip, io, os, sys, tempfile
        DATA = bytes(range(256)) * 4000
        with open("file", "wb") as file:
            file.write(DATA)
        with gzip.open("file.gz", "wb") as file:
            file.write(DATA)
        def from_offset():
            file = open("file", "rb")
            file.read(1000)
            return file
        def temporary():
            file = tempfile.NamedTemporaryFile()
            file.write(DATA)
            file.seek(10)
            return file
        def pipe():
            read, write = os.pipe()
            os.write(write, b"piped")
            os.close(write)
            return open(read, "rb")
        class Like:
            def __init__(self):
                self.blocks = [b"like ", b"a ", b"file"]
            def read(self, size):
                return self.blocks.pop(0) if self.blocks else b""
            def close(self):
                print("closed", file=sys.stderr)
        FILES = dict(whole=lambda: open("file", "rb"), raw=lambda: open("file", "rb", 0), from_offset=from_offset,
                     random=lambda: open("file", "r+b"), memory=lambda: io.BytesIO(DATA), zipped=lambda: gzip.open("file.gz"),
                     temporary=temporary, pipe=pipe, like=Like, text=lambda: open("file", encoding="latin-1"),
                     empty=lambda: open(os.devnull, "rb"))
        def app(environ, start_response):
            headers = [("Content-Length", environ["QUERY_STRING"])] if environ["QUERY_STRING"] else []
            write = start_response("200 OK", headers)
            file = FILES[environ["PATH_INFO"].lstrip("/")]()
            if environ["REQUEST_METHOD"] == "PUT":
                write(b"first ")
            return environ["wsgi.file_wrapper"](file, 4096)
    """
    DATA = bytes(range(256)) * 4000

    def setUp(self):
        self.worker = self.serve(self.PROGRAM)

    def test_files_are_sent_from_where_they_stand(self):
        with self.worker.connect() as connection:
            for name, body, is_sized in (
                    ("whole", self.DATA, True), ("raw", self.DATA, True), ("from_offset", self.DATA[1000:], True),
                    ("random", self.DATA, True), ("temporary", self.DATA[10:], True), ("memory", self.DATA, False),
                    ("zipped", self.DATA, False), ("pipe", b"piped", False), ("like", b"like a file", False),
                    ("empty", b"", True)):
                with self.subTest(name):
                    reply = connection.ask("/" + name).reply()
                    self.assertEqual((len(reply.body), reply.body == body), (len(body), True))
                    self.assertEqual(reply.header("content-length"), str(len(body)) if is_sized else None)
        eventually(lambda: self.worker.stderr() == "closed\n", "close() of the object")

    def test_a_content_length_bounds_a_file(self):
        with self.worker.connect() as connection:
            self.assertEqual(connection.ask("/whole?1000").reply().body, self.DATA[:1000])
            self.assertEqual(connection.ask("/from_offset?5").reply().body, self.DATA[1000:1005])
            self.assertEqual(connection.ask("/whole", "HEAD").reply(is_head=True).header("content-length"),
                             str(len(self.DATA)))
            reply = connection.ask("/whole?5000000").reply()
            self.assertEqual((reply.body, reply.is_whole), (self.DATA, False))
        self.assertIn("bytes less than its Content-Length", self.worker.stderr())

    def test_a_file_may_follow_what_was_written(self):
        self.assertEqual(self.worker.ask("/whole", "PUT").body, b"first " + self.DATA)
        self.assertEqual(self.worker.ask("/whole?106", "PUT").body, b"first " + self.DATA[:100])

    def test_a_text_file_is_an_error(self):
        self.assertEqual(self.worker.ask("/text").status, 500)


if __name__ == "__main__":
    unittest.main()
