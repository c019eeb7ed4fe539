"""Bad input gets a clear error that names what was wrong and where; the others go on."""
import json
import socket
import time

from harness import SLOW, HostTest, eventually, main, raw_exchange
from http_wire import Wire, connect, head, post, reset, sized


class Errors(HostTest):
    @classmethod
    def setUpClass(cls):
        cls.arguments = ()

    def setUp(self):
        self.host = self.start("--max-body", "100k", *self.arguments)

    def problem(self, reply, status, *words):
        """The reply is a problem of that status whose detail has those words."""
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.header("content-type"), "application/problem+json")
        problem = reply.json()
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"])
        for word in words:
            self.assertIn(word, problem["detail"])
        return problem

    def test_a_problem_has_its_members_and_the_id_of_its_header(self):
        reply = self.host.get("/nowhere?x=1")
        problem = self.problem(reply, 404, "/nowhere")
        self.assertEqual(problem["type"], "about:blank")
        self.assertEqual(problem["instance"], "/nowhere")
        self.assertEqual(problem["request_id"], reply.header("x-request-id"))

    def test_a_wrong_method_is_told_which_is_right(self):
        reply = self.host.get("/echo")
        self.problem(reply, 405, "POST", "GET")
        self.assertEqual(reply.header("allow"), "POST, OPTIONS")
        self.assertEqual(self.host.post("/livez", "").header("allow"), "GET, HEAD, OPTIONS")

    def test_options_is_answered_for_every_route(self):
        reply = self.host.request("OPTIONS", "/echo")
        self.assertEqual((reply.status, reply.body, reply.header("allow")), (204, b"", "POST, OPTIONS"))
        self.assertEqual(self.host.request("OPTIONS", "*").header("allow"), "GET, HEAD, POST, DELETE, OPTIONS")

    def test_a_path_is_matched_as_it_is(self):
        for path in ("//echo", "//echo/", "/ECHO", "/../echo", "/echo%00", "/nowhere/"):
            self.assertIn(self.host.post(path, "[1]").status, (400, 404), path)
        for path in ("/%65cho", "/./echo", "/x/%2e%2e/echo"):
            self.assertEqual(self.host.post(path, "[[1]]").status, 200, path)

    def test_a_slash_too_many_or_too_few_at_the_end_is_redirected(self):
        reply = self.host.post("/echo/?a=%20b", "[[1]]")
        self.assertEqual((reply.status, reply.header("location"), reply.body),
                         (307, "../echo?a=%20b", b""))
        self.assertEqual(self.host.get("/models/a%20b/1:show/").header("location"), "../1%3Ashow")
        self.assertEqual(self.host.get("/echo/").status, 307)  # where it is a 405

    def test_an_escaped_slash_in_a_path_is_a_slash(self):
        self.assertEqual(self.host.request("DELETE", "/models/a").body, b"no more a")
        self.assertEqual(self.host.request("DELETE", "/models/a%2Fb").status, 404)
        self.assertEqual(self.host.get("/models%2Fa%2f1:show").body, b"a 1")

    def test_arrays_that_cannot_be_read_are_told_where(self):
        for body, words in (
                ("", ("line 1 column 1",)),
                ("[[1,2],\n[3,", ("line 2",)),
                ("[[1,2] [3,4]]", ("line 1 column 8",)),
                ("[[1,2],[3]]", ("ragged", "[1]")),
                ('[[1,"x"]]', ("int64", "string", "[0][1]")),
                ("[[1,2.5]]", ("int64", "2.5", "[0][1]")),
                ("[[1e400]]", ("line 1",)),
                ("[" * 100000, ()),
                ('{"a":1}', ()),
                ("[[1]] x", ("line 1 column 7",)),
                ("[[NaN]]", ("line 1 column 3",))):
            self.problem(self.host.post("/echo", body), 400, *words)
        self.problem(self.host.post("/repeat", b"\xff\xfe"), 400, "UTF-8")

    def test_json_that_breaks_the_schema_is_told_where(self):
        self.problem(self.host.post("/shout", {"text": "a", "times": 0}), 422, "/times")
        self.problem(self.host.post("/shout", {}), 422, "text")
        self.problem(self.host.post("/shout", '{"text":'), 400, "line 1")
        self.assertEqual(self.host.post("/shout", '{"text":"a"}').body, b'{"text":"a"}')

    def test_another_media_type_is_refused(self):
        self.problem(self.host.post("/v1/images:check", b"GIF89a", {"Content-Type": "image/gif"}), 415,
                     "image/png", "image/gif")
        reply = self.host.post("/v1/images:check", b"\x89PNG", {"Content-Type": "Image/PNG; x=1"})
        self.assertEqual((reply.status, reply.body, reply.header("content-type")),
                         (200, b"\x89PNG", "image/png"))

    def test_a_body_that_is_too_large_is_refused_however_it_comes(self):
        self.problem(self.host.post("/repeat", b"x" * 200_000), 413)
        chunked = b"".join(b"4e20\r\n" + b"x" * 20000 + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
        answer = raw_exchange(self.host.port, b"POST /repeat HTTP/1.1\r\nHost: x\r\n"
                                              b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
        self.assertIn(b" 413 ", answer.split(b"\r\n")[0])

    def test_chunked_bodies_are_read(self):
        answer = raw_exchange(self.host.port, b"POST /repeat HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                              b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\nabcabc"), answer)

    def test_what_is_not_http_is_refused(self):
        for head in (b"GET /livez HTTP/1.1\r\n\r\n",  # no Host
                     b"GET /livez HTTP/1.1\r\nHost: x\r\nHost : y\r\n\r\n",
                     b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                     b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
                     b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                     b"hello\r\n\r\n"):
            self.assertIn(b" 400 ", raw_exchange(self.host.port, head).split(b"\r\n")[0], head)
        self.assertEqual(self.host.post("/echo", "[[1]]").status, 200)

    def test_a_head_without_end_is_refused(self):
        for head, status in ((b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b" 414 "),
                             (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b" 431 "),
                             (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n", b" 431 ")):
            answer = raw_exchange(self.host.port, head)
            self.assertIn(status, answer.split(b"\r\n")[0])
            self.assertIn(b"application/problem+json", answer)

    def test_a_handlers_own_error_keeps_its_status_and_words(self):
        self.problem(self.host.post("/throws", "missing"), 404, "no such flower")
        self.problem(self.host.post("/throws", "teapot"), 418, "short and stout")
        self.problem(self.host.post("/echo", "[[-4]]"), 400, "the runner does not take -4")

    def test_failures_are_told_to_the_log_and_not_to_strangers(self):
        for path, body, secret in (("/throws", "x", "a secret of the handler"), ("/throws", "int", "exception"),
                                   ("/echo", "[[-2]]", "a secret of the runner"), ("/nan", "[1]", "nan")):
            problem = self.problem(self.host.post(path, body), 500)
            self.assertNotIn("secret", problem["detail"])
            eventually(lambda: any(problem["request_id"] in line and secret in line.lower()
                                   for line in self.host.stderr_lines), what=f"a line with {secret}")

    def test_a_result_of_too_few_rows_is_an_error_of_the_service(self):
        self.assertIn(self.host.post("/echo", "[[-5],[1]]").status, (500, 502))

    def test_a_request_id_is_taken_over_or_made(self):
        self.assertEqual(self.host.get("/livez", {"X-Request-Id": "abc-1.2_3"}).header("x-request-id"), "abc-1.2_3")
        for bad in ("", "a b", "x" * 129, 'a"b'):
            made = self.host.get("/livez", {"X-Request-Id": bad}).header("x-request-id")
            self.assertRegex(made, "^[0-9a-f]{16}$")

    def test_head_is_get_without_the_body(self):
        reply = self.host.request("HEAD", "/livez")
        self.assertEqual((reply.status, reply.body, reply.header("content-length")), (200, b"", "3"))

    def test_a_handler_sets_status_and_headers(self):
        reply = self.host.post("/created", "box", {"X-Request-Id": "42"})
        self.assertEqual((reply.status, reply.header("location"), reply.body), (201, "/things/box", b"42"))

    def test_a_request_that_comes_too_slowly_holds_up_nobody(self):
        slow = [socket.create_connection(("127.0.0.1", self.host.port)) for _ in range(50)]
        for connection in slow:
            self.addCleanup(connection.close)
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[")
        self.assertEqual(self.host.post("/echo", "[[7]]").json(), [[7]])


class Shapes(HostTest):
    def test_a_wrong_shape_or_type_is_told_with_the_right_one(self):
        host = self.start(plugin="libiris.so")
        for body, words in (("[[1,2,3]]", ("(n, 4)", "(1, 3)")), ("[1,2,3,4]", ("(n, 4)", "(4,)")),
                            ("[[[1,2,3,4]]]", ("(n, 4)", "(1, 1, 4)")),
                            ('[[1,2,3,"4"]]', ("string", "[0][3]")), ("[[1,2,3,null]]", ("null", "[0][3]"))):
            reply = host.post("/classify", body)
            self.assertEqual((reply.status, reply.json()["status"]), (400, 400), body)
            for word in words:
                self.assertIn(word, reply.json()["detail"])


class Debug(HostTest):
    def test_with_debug_clients_are_told_too(self):
        host = self.start("--debug")
        self.assertIn("a secret of the handler", json.dumps(host.post("/throws", "x").json()))


class Deadline(HostTest):
    def test_a_call_past_its_deadline_is_answered_504(self):
        host = self.start("--timeout", str(0.3 * SLOW))
        began = time.monotonic()
        reply = host.post("/nap", [[int(1000 * SLOW)]])
        self.assertEqual(reply.status, 504, reply)
        self.assertGreater(time.monotonic() - began, 0.29 * SLOW)
        self.assertIn("deadline", reply.json()["detail"])


class OfTheFront(HostTest):
    """What is answered before a service has a say."""

    def answer(self, host, data, then=lambda wire: None):
        with connect(host.port) as connection:
            wire = Wire(connection)
            wire.send(data)
            then(wire)
            return wire.answer()

    def test_all_refusals_have_an_id_that_is_in_the_log_and_the_members_of_problems(self):
        host = self.start("--max-body", "100", "--max-head", "2k", "--max-request-line", "200",
                          "--body-timeout", str(0.2 * SLOW), "--header-timeout", str(0.2 * SLOW))
        nowhere = None  # there is no path in what has come
        for status, path, data in (
                (400, "/repeat", post("Content-Length: 1", "Content-Length: 2")),
                (400, nowhere, b"hello\r\n\r\n"),
                (400, "/repeat", post("Transfer-Encoding: chunked", body="zz\r\n")),
                (408, "/repeat", post("Content-Length: 9", body="a")),
                (408, nowhere, b"GET /livez HT"),
                (413, "/repeat", sized("x" * 101)),
                (414, nowhere, head("GET /" + "x" * 300 + " HTTP/1.1", "Host: x")),
                (415, "/repeat", sized("x", "Content-Encoding: br")),
                (431, nowhere, head("GET / HTTP/1.1", "Host: x", "X: " + "x" * 3000)),
                (501, "/repeat", post("Transfer-Encoding: gzip, chunked")),
                (505, nowhere, head("GET / HTTP/2.0", "Host: x"))):
            answer = self.answer(host, data)
            self.assertEqual((answer.status, answer.header("connection")), (status, "close"), data)
            problem = json.loads(answer.body)
            self.assertTrue(problem["title"] and problem["detail"])
            self.assertEqual(problem["status"], status)
            self.assertEqual(problem.get("instance"), path, data)
            request_id = answer.header("x-request-id")
            self.assertRegex(request_id, "^[0-9a-f]{16}$")
            self.assertEqual(problem["request_id"], request_id)
            line = eventually(lambda: next((line for line in host.stdout_lines
                                            if request_id in line), None))
            self.assertIn(f" {status} ", line)

    def test_a_clients_id_is_kept_in_a_refusal(self):
        host = self.start("--max-body", "100")
        answer = self.answer(host, sized("x" * 101, "X-Request-Id: mine"))
        self.assertEqual((answer.status, answer.header("x-request-id")), (413, "mine"))

    def can_read(self, answer, status):
        self.assertEqual((answer.status, answer.header("access-control-allow-origin")),
                         (status, "http://page"))

    def test_a_page_of_another_origin_can_read_what_is_answered_early(self):
        cors = json.dumps({"access_control_allow_origins": ["http://page"]})
        origin = "Origin: http://page"
        host = self.start("--use", f"cors={cors}", "--max-body", "100", "--max-in-flight", "1",
                          "--body-timeout", str(0.2 * SLOW))
        for status, data in ((413, sized("x" * 101, origin)),
                             (415, sized("x", origin, "Content-Encoding: br")),
                             (400, post(origin, "Transfer-Encoding: chunked", body="zz\r\n")),
                             (408, post(origin, "Content-Length: 9", body="a"))):
            self.can_read(self.answer(host, data), status)
        with connect(host.port) as busy:
            busy.sendall(sized("busy", to="/patient"))
            host.log_line("busy waits")
            answer = self.answer(host, sized("x", origin))
            self.can_read(answer, 503)
            self.assertEqual(answer.header("retry-after"), "1")
            reset(busy)
        host = self.start("--use", f"cors={cors}", "--timeout", str(0.3 * SLOW))
        self.can_read(self.answer(host, sized(f"[[{int(2000 * SLOW)}]]", origin, to="/slow")), 504)


if __name__ == "__main__":
    main()
