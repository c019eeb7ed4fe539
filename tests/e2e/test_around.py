"""Around and beside the APIs: middleware of both forms, native apps, and deadlines."""
import socket
import time

from harness import AT_ONCE, PLUGINS, SLOW, HostTest, eventually, in_parallel, main

AROUND = str(PLUGINS / "libaround.so")


class AroundTest(HostTest):
    def setUp(self):
        self.host = self.start(plugin=AROUND)

    def mode(self, name, path="/echo", body="hello"):
        return self.host.post(path, body, {"x-mode": name})


class Middleware(AroundTest):
    def test_is_around_apis_of_every_form_pages_and_errors(self):
        for method, path, body, status, answer in (
                ("POST", "/twice", "[1, 2]", 200, b"[2,4]"),
                ("POST", "/echo", "hello", 200, b"hello"),
                ("POST", "/stream", "hello ", 200, b"hello more"),
                ("GET", "/livez", None, 200, b"ok\n"),
                ("GET", "/nowhere", None, 404, None),
                ("GET", "/echo", None, 405, None),
                ("POST", "/twice", "[1", 400, None),
                ("POST", "/asgi/x", "", 200, b"/asgi /asgi/x")):
            reply = self.host.request(method, path, body)
            self.assertEqual(reply.status, status, path)
            if answer is not None:
                self.assertEqual(reply.body, answer)
            self.assertEqual(reply.header("x-around"), "yes", path)
            self.assertTrue(reply.header("x-number"), path)
            self.assertTrue(reply.header("x-request-id"), path)

    def test_answers_by_itself_and_is_counted_and_logged(self):
        reply = self.mode("answer")
        self.assertEqual((reply.status, reply.body), (418, b"short and stout"))
        self.assertIn('code="418"', self.host.get("/metrics").body.decode())
        eventually(lambda: any(" 418 " in line for line in self.host.stdout_lines), what="its line in the log")

    def test_a_result_that_is_encoded_for_long_gets_through(self):
        numbers = list(range(60000))
        self.assertEqual(self.host.post("/twice", numbers).json(), [2 * number for number in numbers])
        host = self.start("--threads", "1", plugin=AROUND)  # no other thread is left to encode the result
        self.assertEqual(host.post("/twice", numbers).json(), [2 * number for number in numbers])

    def test_changes_the_request_and_the_answer(self):
        self.assertEqual(self.mode("rewrite", "/elsewhere").body, b"hello")
        self.assertEqual(self.mode("shout").body, b"HELLO!")
        self.assertEqual(self.mode("shout", "/stream", "a ").body, b"A MORE!")
        self.assertEqual(self.mode("body").body, b"another")

    def test_catches_errors_from_inside(self):
        self.assertEqual(self.mode("catch", "/fail").body, b"caught: broken")
        self.assertEqual(self.mode("", "/fail").status, 500)

    def test_misuse_is_a_500_and_a_line_that_names_the_plugin(self):
        for mode, complaint in (("silent", "returned without an answer"), ("throw", "told to throw")):
            with self.subTest(mode):
                self.assertEqual(self.mode(mode).status, 500)
                self.assertIn("middleware obey of around", self.host.log_line(complaint))
        self.assertEqual(self.mode("twice").body, b"hello")
        self.assertIn("middleware obey of around", self.host.log_line("next was called twice"))
        refused = self.mode("refuse")
        self.assertEqual(refused.status, 401)
        self.assertIn("told to refuse", refused.json()["detail"])
        self.assertEqual(self.mode("").body, b"hello")

    def test_ends_once_for_each_exchange(self):
        replies = in_parallel([lambda: self.host.post("/echo", "x")] * 40)
        self.assertEqual({reply.status for reply in replies}, {200})

        def all_but_this_have_ended():
            begun, ended = map(int, self.host.get("/counts").body.split())
            return begun > 40 and ended == begun - 1
        eventually(all_but_this_have_ended, what="as many ends as beginnings")

    def test_streams_an_upload_through_both_forms(self):
        self.assertEqual(self.host.post("/count", b"x" * (8 << 20)).body, b"%d" % (8 << 20))


class Apps(AroundTest):
    def test_streaming_apps_have_the_whole_path_and_their_root(self):
        self.assertEqual(self.host.post("/asgi/a/b", " body").body, b"/asgi /asgi/a/b body")
        self.assertEqual(self.host.get("/asgi").body, b"/asgi /asgi")
        self.assertEqual(self.host.get("/asgix").status, 404)

    def test_simple_apps_have_the_path_below_their_root(self):
        reply = self.host.request("PUT", "/wsgi/a%20b?x=1", "body")
        self.assertEqual((reply.status, reply.body), (201, b"PUT /a b?x=1 body"))
        self.assertEqual(reply.header("x-root"), "/wsgi")
        self.assertEqual(self.host.get("/wsgi").body, b"GET /? ")

    def test_apps_call_runners(self):
        self.assertEqual(self.host.post("/double", "3").body, b"12")

    def test_are_behind_the_prefix_of_their_service(self):
        host = self.start("--plugin", f"/p={AROUND}", plugin=None)
        self.assertEqual(host.post("/p/asgi/x", "").body, b"/p/asgi /p/asgi/x")
        self.assertEqual(host.post("/p/double", "3").body, b"12")
        self.assertIsNone(host.get("/livez").header("x-number"), "outside of the service's prefix")
        self.assertTrue(host.get("/p/livez").header("x-number"))

    def test_clients_that_do_not_read_slow_nobody_else(self):
        stalled = []
        for _ in range(50):
            client = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
            self.addCleanup(client.close)
            client.sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
            stalled.append(client)
        for client in stalled:
            self.assertTrue(client.recv(1))
        with self.host.client() as client:
            begun = time.monotonic()
            for _ in range(30):
                self.assertEqual(client.request("POST", "/echo", "x").body, b"x")
            self.assertLess(time.monotonic() - begun, AT_ONCE)

    def test_one_that_takes_too_long_is_answered_for(self):
        host = self.start("--timeout", "0.3", plugin=AROUND)
        begun = time.monotonic()
        reply = host.get("/hangs")
        self.assertEqual(reply.status, 504)
        self.assertLess(time.monotonic() - begun, AT_ONCE)
        self.assertEqual(reply.header("connection"), "close")
        self.assertTrue(reply.header("x-request-id"))
        host.log_line("has not answered by the request's deadline")
        self.assertIn("bentohost_http_requests_in_flight 2\n", host.get("/metrics").body.decode(),
                      "this one, and that whose handler has not returned")
        self.assertEqual(host.get("/release").body, b"released")
        self.assertEqual(host.post("/echo", "x").body, b"x")


if __name__ == "__main__":
    main()
