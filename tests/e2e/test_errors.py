"""Errors that tests/http cannot see: in the log, over time, and beside other connections. The responses to
clients are in tests/http/errors.http."""
import json
import socket
import time

from harness import SLOW, HostTest, eventually, main
from http_wire import Wire, connect, head, post, reset, sized


class Errors(HostTest):
    def setUp(self):
        self.host = self.start()

    def test_failures_are_told_to_the_log_and_not_to_strangers(self):
        for path, body, secret in (("/throws", "x", "a secret of the handler"), ("/throws", "int", "exception"),
                                   ("/echo", "[[-2]]", "a secret of the runner"), ("/nan", "[1]", "nan")):
            reply = self.host.post(path, body)
            self.assertEqual(reply.status, 500, reply)
            problem = reply.json()
            self.assertNotIn("secret", problem["detail"])
            eventually(lambda: any(problem["request_id"] in line and secret in line.lower()
                                   for line in self.host.stderr_lines), what=f"a line with {secret}")

    def test_a_request_that_comes_too_slowly_holds_up_nobody(self):
        slow = [socket.create_connection(("127.0.0.1", self.host.port)) for _ in range(50)]
        for connection in slow:
            self.addCleanup(connection.close)
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[")
        self.assertEqual(self.host.post("/echo", "[[7]]").json(), [[7]])


class Deadline(HostTest):
    def test_a_call_past_its_deadline_is_answered_504(self):
        host = self.start("--timeout", str(0.3 * SLOW))
        began = time.monotonic()
        reply = host.post("/nap", [[int(1000 * SLOW)]])
        self.assertEqual(reply.status, 504, reply)
        self.assertGreater(time.monotonic() - began, 0.29 * SLOW)
        self.assertIn("deadline", reply.json()["detail"])


class OfTheFront(HostTest):
    """Requests that are answered before a service sees them."""

    def answer(self, host, data):
        with connect(host.port) as connection:
            wire = Wire(connection)
            wire.send(data)
            return wire.answer()

    def test_all_refusals_have_an_id_that_is_in_the_log_and_the_members_of_problems(self):
        host = self.start("--max-body", "100", "--max-head", "2k", "--max-request-line", "200",
                          "--body-timeout", str(0.2 * SLOW), "--header-timeout", str(0.2 * SLOW))
        nowhere = None  # the request has no path
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

    def test_a_page_of_another_origin_can_read_that_the_server_is_overloaded(self):
        cors = json.dumps({"access_control_allow_origins": ["http://page"]})
        host = self.start("--use", f"cors={cors}", "--max-in-flight", "1")
        with connect(host.port) as busy:
            busy.sendall(sized("busy", to="/patient"))
            host.log_line("busy waits")
            answer = self.answer(host, sized("x", "Origin: http://page"))
            self.assertEqual((answer.status, answer.header("access-control-allow-origin"),
                              answer.header("retry-after")), (503, "http://page", "1"))
            reset(busy)


if __name__ == "__main__":
    main()
