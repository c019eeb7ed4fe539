"""bento_wsgi: what becomes of a request's head."""
import json
import random
import socket
import unittest

from wsgi_worker import WorkerTest

ENVIRON = """
    import json
    def app(environ, start_response):
        environ["wsgi.input"].read()
        plain = {key: value for key, value in environ.items() if isinstance(value, (str, bool, tuple))}
        data = json.dumps(plain).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [data]
"""


class Environ(WorkerTest):
    def environ(self, worker, *arguments, **named):
        reply = worker.ask(*arguments, **named)
        self.assertEqual(reply.status, 200, reply.text)
        return json.loads(reply.body)

    def test_a_request_becomes_the_environ_of_pep_3333(self):
        environ = self.environ(self.serve(ENVIRON), "/a/b?x=1&y=%20", "POST", body=b"hello", headers=[
            ("Content-Type", "text/plain"), ("Accept", "*/*"), ("X-Request-ID", "abc"),
            ("X-Bento-Deadline-Ms", "1500")])
        for key, value in {
                "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/a/b", "QUERY_STRING": "x=1&y=%20",
                "REQUEST_URI": "/a/b?x=1&y=%20", "RAW_URI": "/a/b?x=1&y=%20", "SERVER_PROTOCOL": "HTTP/1.1",
                "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "5", "HTTP_ACCEPT": "*/*", "HTTP_X_REQUEST_ID": "abc",
                "HTTP_X_BENTO_DEADLINE_MS": "1500", "REMOTE_ADDR": "192.0.2.7", "REMOTE_HOST": "192.0.2.7",
                "SERVER_NAME": "example.org", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.version": [1, 0],
                "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False}.items():
            self.assertEqual(environ.get(key), value, key)
        self.assertNotIn("HTTP_CONTENT_TYPE", environ)
        self.assertNotIn("HTTP_CONTENT_LENGTH", environ)

    def test_paths_below_a_prefix(self):
        worker = self.serve(ENVIRON, "--root-path", "/old")
        for target, path in (("/old", ""), ("/old?x", ""), ("/old/", "/"), ("/old/a%2Fb%C3%A9", "/a/b\xc3\xa9"),
                             ("/old//a", "//a"), ("/%6Fld/a", "/a"), ("/old/%zz", "/%zz"), ("/old/\xe9", "/\xe9")):
            environ = self.environ(worker, target)
            self.assertEqual((environ["SCRIPT_NAME"], environ["PATH_INFO"]), ("/old", path), target)
            self.assertEqual(environ["REQUEST_URI"], target)
        for target in ("/", "/older", "/ol", "/OLD/a", "/a/old"):
            self.assertEqual(worker.ask(target).status, 400, target)

    def test_paths_without_a_prefix(self):
        worker = self.serve(ENVIRON)
        for target, path in (("/", "/"), ("/a%20b", "/a b"), ("//a", "//a"), ("/%00", "/\0")):
            environ = self.environ(worker, target)
            self.assertEqual((environ["SCRIPT_NAME"], environ["PATH_INFO"]), ("", path), target)

    def test_a_prefix_is_decoded_like_a_path(self):
        environ = self.environ(self.serve(ENVIRON, "--root-path", "/caf%C3%A9"), "/caf%C3%A9/x")
        self.assertEqual((environ["SCRIPT_NAME"], environ["PATH_INFO"]), ("/caf\xc3\xa9", "/x"))

    def test_the_server_is_the_one_that_the_client_asked_for(self):
        worker = self.serve(ENVIRON)
        for headers, scheme, name, port in (
                ([("Host", "a.org")], "http", "a.org", "80"),
                ([("Host", "a.org:81")], "http", "a.org", "81"),
                ([("Host", "a.org"), ("X-Forwarded-Proto", "https")], "https", "a.org", "443"),
                ([("Host", "a.org"), ("X-Forwarded-Port", "8443"), ("X-Forwarded-Proto", "https")],
                 "https", "a.org", "8443"),
                ([("Host", "[::1]:3000")], "http", "[::1]", "3000"), ([("Host", "[::1]")], "http", "[::1]", "80"),
                ([("Host", "")], "http", "localhost", "80")):
            environ = self.environ(worker, headers=headers)
            self.assertEqual((environ["wsgi.url_scheme"], environ["SERVER_NAME"], environ["SERVER_PORT"]),
                             (scheme, name, port), headers)

    def test_headers_that_are_given_twice_are_joined(self):
        environ = self.environ(self.serve(ENVIRON), headers=[
            ("X-A", "1"), ("Cookie", "a=1"), ("x-a", " 2\t"), ("Cookie", "b=2"), ("X-Latin", "caf\xe9"), ("X-Empty", "")])
        self.assertEqual([environ[key] for key in ("HTTP_X_A", "HTTP_COOKIE", "HTTP_X_LATIN", "HTTP_X_EMPTY")],
                         ["1,2", "a=1; b=2", "caf\xe9", ""])

    def test_threads_and_processes_are_told(self):
        environ = self.environ(self.serve(ENVIRON, "--threads", "1", "--multiprocess"))
        self.assertEqual((environ["wsgi.multithread"], environ["wsgi.multiprocess"]), (False, True))


class Heads(WorkerTest):
    def setUp(self):
        self.worker = self.serve(ENVIRON)

    def test_what_is_not_quite_http_is_refused_and_closed(self):
        host = "Host: a\r\n"
        for head in ("GET / HTTP/1.0\r\n" + host, "GET / HTTP/2.0\r\n" + host, "GET /\r\n" + host, "GET  / HTTP/1.1\r\n" + host,
                     "GET / HTTP/1.1 \r\n" + host, " GET / HTTP/1.1\r\n" + host, "\r\nGET / HTTP/1.1\r\n" + host,
                     "G@T / HTTP/1.1\r\n" + host, "GET\t/ HTTP/1.1\r\n" + host, "GET /a\tb HTTP/1.1\r\n" + host,
                     "GET http://a/ HTTP/1.1\r\n" + host, "GET * HTTP/1.1\r\n" + host, "GET /#a HTTP/1.1\r\n" + host,
                     "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n" + host + host, "GET / HTTP/1.1\r\n" + host + "A_B: 1\r\n",
                     "GET / HTTP/1.1\r\n" + host + "A : 1\r\n", "GET / HTTP/1.1\r\n" + host + "A\r\n",
                     "GET / HTTP/1.1\r\n" + host + ": 1\r\n", "GET / HTTP/1.1\r\n" + host + "A: 1\r\n 2\r\n",
                     "GET / HTTP/1.1\r\n" + host + "A: 1\n2\r\n", "GET / HTTP/1.1\r\n" + host + "A: 1\r2\r\n",
                     "GET / HTTP/1.1\r\n" + host + "A: 1\r2\nB: 3\r\n", "GET / HTTP/1.1\r\n" + host + "A: \0\r\n",
                     "GET / HTTP/1.1\r\n" + host + "A: \x7f\r\n", "GET / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n",
                     "GET / HTTP/1.1\r\n" + host + "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n",
                     "GET / HTTP/1.1\r\n" + host + "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n",
                     "GET / HTTP/1.1\r\n" + host + "X-Forwarded-Proto: gopher\r\n",
                     "\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n"):
            with self.subTest(head), self.worker.connect() as connection:
                reply = connection.send((head + "\r\n\r\n").encode("latin-1")).reply()
                self.assertEqual((reply.status, reply.header("connection")), (400, "close"))
                self.assertTrue(connection.is_closed())
        self.assertEqual(self.worker.ask().status, 200)

    def test_doubtful_framing_is_refused(self):
        for headers in (["Content-Length: 3", "Transfer-Encoding: chunked"], ["Content-Length: 3", "Content-Length: 3"],
                        ["Content-Length: 3, 3"], ["Content-Length: +3"], ["Content-Length: 0_3"], ["Content-Length: "],
                        ["Content-Length: -3"], ["Content-Length: 3.0"], ["Content-Length: \xb2"], ["Content-Length: " + "9" * 19],
                        ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: identity"], ["Transfer-Encoding: "],
                        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], ["Transfer-Encoding: xchunked"]):
            with self.subTest(headers), self.worker.connect() as connection:
                head = "\r\n".join(["POST / HTTP/1.1", "Host: a", *headers, "", ""])
                reply = connection.send(head.encode("latin-1") + b"abc").reply()
                self.assertEqual((reply.status, reply.header("connection")), (400, "close"))
                self.assertTrue(connection.is_closed())

    def test_a_head_may_come_in_single_bytes(self):
        with self.worker.connect() as connection:
            for _ in range(2):
                for byte in b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n":
                    connection.send(bytes([byte]))
                self.assertEqual(json.loads(connection.reply().body)["PATH_INFO"], "/x")

    def test_a_head_may_be_large_but_not_endless(self):
        self.assertEqual(self.worker.ask(headers=[("X-Large", "x" * 100_000)]).status, 200)
        self.assertEqual(self.worker.ask(headers=[(f"X-{i}", "x") for i in range(2000)]).status, 200)
        with self.worker.connect() as connection:
            with self.assertRaises(OSError):  # it is closed
                connection.send(b"GET / HTTP/1.1\r\nA: ")
                while True:
                    connection.send(b"x" * 10_000)
            self.assertEqual(connection.reply().status, 431)

    def test_a_connection_serves_request_after_request(self):
        with self.worker.connect() as connection:
            for i in range(100):
                reply = connection.ask(f"/{i}", "POST", body=b"x" * i).reply()
                self.assertEqual(json.loads(reply.body)["PATH_INFO"], f"/{i}")
                self.assertIsNone(reply.header("connection"))

    def test_what_follows_a_request_is_not_taken_for_another(self):
        for extra in (b"garbage", b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"):
            for first in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                          b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
                          b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"):
                with self.subTest((first, extra)), self.worker.connect() as connection:
                    reply = connection.send(first + extra).reply()
                    self.assertEqual((reply.status, reply.header("connection")), (200, "close"))
                    self.assertTrue(connection.is_closed())

    def test_close_is_done_when_asked_for(self):
        with self.worker.connect() as connection:
            self.assertEqual(connection.ask(headers=[("Connection", "close")]).reply().header("connection"), "close")
            self.assertTrue(connection.is_closed())

    def test_a_connection_that_ends_in_a_head_is_forgotten(self):
        with self.worker.connect() as connection:
            connection.send(b"GET / HT")
        self.assertEqual(self.worker.ask().status, 200)
        self.assertEqual(self.worker.stderr(), "")

    def test_no_mutilated_request_breaks_the_worker(self):
        dice = random.Random(11)
        whole = (b"POST /a%20b?c HTTP/1.1\r\nHost: a.org:80\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: a=b\r\n",
                 (b"Content-Length: 12\r\n\r\nhello, world", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        seen = set()
        for i in range(1500):
            request = bytearray(whole[0] + whole[1][i % 2])
            for _ in range(dice.choice((1, 1, 2, 5))):
                at, act = dice.randrange(len(request)), dice.random()
                if act < 0.4:
                    request[at] = dice.choice(b"\r\n\0 \t:;,_%0\xffa")
                elif act < 0.7:
                    del request[at:at + dice.choice((1, 2, 10))]
                else:
                    request[at:at] = request[at:at + 5] or b"x"
            with self.worker.connect() as connection:
                connection.send(bytes(request)).sock.shutdown(socket.SHUT_WR)
                try:
                    seen.add(connection.reply().status)
                except EOFError:
                    seen.add(None)  # it breaks off, and needs no answer
        self.assertEqual(seen, {200, 400, None})
        self.assertEqual(self.worker.ask().status, 200)
        self.assertEqual([line for line in self.worker.stderr().splitlines()
                          if not line.startswith("bento_wsgi: refused a request: ")], [])


if __name__ == "__main__":
    unittest.main()
