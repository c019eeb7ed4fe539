"""Fetches: requests of handlers and tasks to other servers, through the real host: on loops, on threads, behind
middleware that waits; as a whole and as streams; given up; by TLS."""
import http.server
import json
import os
import socket
import ssl
import threading
import time

from async_case import AsyncTest
from harness import AT_ONCE, PLUGINS, SLOW, eventually, main
from test_streams import GROWTH, MIB, Watch
from test_tls import make_certificate

FETCHES, WRAPPED = str(PLUGINS / "libfetches.so"), str(PLUGINS / "libfetches_around.so")

DEFAULTS = {"method": "GET", "body": "", "timeout_ms": 0, "connect_timeout_ms": 0, "max_bytes": 0, "header": ""}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.connections += 1

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.heads.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.answer(b"", 302, Location="/hello")
        elif path == "/fails":
            self.answer(b"no", 503)
        elif path.startswith("/big/"):
            size = int(self.path[5:])
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            piece = b"10000\r\n" + b"b" * 65536 + b"\r\n"
            try:
                for _ in range(size // 65536):
                    self.wfile.write(piece)
                    self.server.sent += 65536
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.server.broken += 1
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "99")
            self.end_headers()
            self.wfile.write(b"the beginning")
            self.close_connection = True
        elif path == "/hangs":
            self.server.hanging += 1
            self.connection.recv(1)  # until the client is gone
            self.server.hanging -= 1
            self.close_connection = True
        else:
            self.answer(b"hello", Content_Type="text/plain", X_Many="1")

    def do_POST(self):
        self.server.heads.append((self.path, dict(self.headers)))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(body, X_Seen_Two=self.headers.get("X-Two", ""))


class FetchTest(AsyncTest):
    PLUGIN = FETCHES

    def setUp(self):
        self.server = self.start_server()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.serve(*self.ARGUMENTS, env=self.environment())

    ARGUMENTS = ()

    def environment(self):
        return None

    def start_server(self, tls=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        server.heads, server.connections, server.hanging, server.sent, server.broken = [], 0, 0, 0, 0
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def fetch(self, how, path, headers=None, **ask):
        ask.setdefault("url", self.url + path)
        return self.host.post(how, json.dumps({**DEFAULTS, **ask}), {"Content-Type": "application/json", **(headers or {})})

    def outcomes(self):
        return {name.split('outcome="')[1].split('"')[0]: value for name, value in self.host.metrics().items()
                if name.startswith("bentohost_fetch_requests_total{")}

    def begin(self, path, ask):
        body = json.dumps({**DEFAULTS, **ask}).encode()
        return self.send(f"POST {path} HTTP/1.1\nHost: x\nContent-Type: application/json\n"
                         f"Content-Length: {len(body)}", body)


class Fetches(FetchTest):
    def test_loops_and_threads_get_the_same_responses(self):
        for how in ("/loop", "/thread"):
            got = self.fetch(how, "/hello?a=b").json()
            self.assertEqual((got["status"], got["body"]), (200, "hello"), how)
            self.assertIn("X-Many: 1\n", got["headers"])
            self.assertIn("Content-Type: text/plain\n", got["headers"])
            got = self.fetch(how, "/post", method="POST", body="some text" * 100000).json()
            self.assertEqual(got["body"], "some text" * 100000)
            self.assertEqual(self.fetch(how, "/fails").json()["status"], 503)
            got = self.fetch(how, "/moved").json()
            self.assertEqual(got["status"], 302, "redirects are returned")
            self.assertIn("Location: /hello\n", got["headers"])
        self.assertEqual(self.host.post("/plain", self.url + "/hello").body, b"hello")
        self.assertEqual(self.host.post("/posts", self.url + "/").body, b"xxx 2")
        self.assertEqual(self.host.post("/all", self.url + "/hello").body, b"hellohello0")
        refused = self.host.post("/plain", self.url + "/fails?token=secret")
        self.assertEqual((refused.status, refused.json()["detail"]), (502, self.url + ": answered 503"))
        self.wait_alive(0)

    def test_the_request_s_id_and_trace_go_along(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for how in ("/loop", "/thread", "/later"):
            del self.server.heads[:]
            self.fetch(how, "/hello", {"X-Request-Id": "my-id", "traceparent": trace})
            eventually(lambda: self.server.heads, what="the fetch")
            head = self.server.heads[0][1]
            self.assertEqual((head["X-Request-Id"], head["traceparent"]), ("my-id", trace), how)
        self.fetch("/loop", "/hello", {"X-Request-Id": "my-id"}, header="x-request-id: another")
        self.assertEqual(self.server.heads[-1][1]["x-request-id"], "another")

    def test_connections_are_kept(self):
        for _ in range(5):
            self.assertEqual(self.fetch("/loop", "/hello").status, 200)
        self.assertLessEqual(self.server.connections, len(os.sched_getaffinity(0)) + 1, "one for each loop")

    def test_what_cannot_be_sent_is_the_service_s_mistake(self):
        for ask, words in (({"url": "ftp://x/"}, "does not begin with http"), ({"method": "A B"}, "method"),
                           ({"header": "Host: evil"}, "header Host is the client's own"),
                           ({"header": "X-A: a\r\nEvil: 1"}, "line break")):
            for how in ("/loop", "/thread"):
                self.assertEqual(self.fetch(how, "/hello", **ask).status, 500, ask)
            self.host.log_line(words)
        self.assertEqual(self.server.heads, [])
        self.assertEqual(self.host.post("/blocks", self.url).status, 500)
        self.host.log_line("get() would hold up an event loop")
        self.assertEqual(self.host.post("/quick", self.url).status, 500)

    def test_failures_say_whose_they_are_and_why(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for how in ("/loop", "/thread"):
            reply = self.fetch(how, "", url=f"http://127.0.0.1:{port}/secret?key=1")
            self.assertEqual(reply.status, 502)
            self.assertEqual(reply.json()["detail"], f"http://127.0.0.1:{port}: connection refused")
            reply = self.fetch(how, "/cut")
            self.assertEqual(reply.status, 502)
            self.assertIn("closed the connection before the end of its response", reply.json()["detail"])
            reply = self.fetch(how, "/hello", max_bytes=4)
            self.assertEqual(reply.status, 502)
            self.assertIn("larger than 4 bytes (max_response_bytes)", reply.json()["detail"])
            reply = self.fetch(how, f"/big/{17 * MIB}")
            self.assertIn("larger than 16777216 bytes", reply.json()["detail"])
            reply = self.fetch(how, "", url="http://nowhere.invalid/")
            self.assertEqual(reply.status, 502)
            self.assertIn("http://nowhere.invalid:80: ", reply.json()["detail"])
        outcomes = self.outcomes()
        self.assertEqual(outcomes["too_large"], 4)
        self.assertEqual(outcomes["broken"], 2)
        self.assertEqual(outcomes["connect"], 4)

    def test_time_limits_hold(self):
        for how in ("/loop", "/thread"):
            reply = self.fetch(how, "/hangs", timeout_ms=100)
            self.assertEqual(reply.status, 504)
            self.assertIn("no whole response within 0.1 s", reply.json()["detail"])
        reply = self.host.post("/within", self.url + "/hangs")
        self.assertEqual(reply.status, 504)
        self.assertIn(" has not answered within 200 ms", reply.json()["detail"])
        eventually(lambda: self.server.hanging == 0, what="the end of the fetches")
        self.assertEqual(self.host.post("/drops", self.url + "/hangs").body, b"dropped")
        eventually(lambda: self.server.hanging == 0, what="the end of the fetch")

    def test_a_client_that_leaves_takes_its_fetch_with_it(self):
        for how in ("/loop", "/thread"):
            before = self.counts()["cancelled"]
            client = self.begin(how, {"url": self.url + "/hangs"})
            eventually(lambda: self.server.hanging == 1, what="the fetch")
            self.leave(client)
            eventually(lambda: self.server.hanging == 0, what="the end of the fetch")
            eventually(lambda: self.counts()["cancelled"] == before + 1, what="the handler's end")
        self.wait_alive(0)
        self.assertEqual(self.outcomes()["cancelled"], 2)

    def test_tasks_fetch_after_the_response(self):
        self.assertEqual(self.fetch("/later", "/hello").body, b"later")
        eventually(lambda: self.counts()["tasks"] == 1, what="the task")
        self.fetch("/later", "/fails")
        eventually(lambda: self.counts()["failed_tasks"] == 1, what="the task's failure")
        self.host.log_line(": answered 503")

    def test_it_is_counted(self):
        self.fetch("/loop", "/hello")
        self.fetch("/thread", "/fails")
        self.assertEqual(self.outcomes(), {"2xx": 1, "5xx": 1})
        metrics = self.host.get("/metrics").body.decode()
        self.assertIn('bentohost_fetch_duration_seconds_count{service="fetches"} 2', metrics)
        self.assertIn('bentohost_fetches_in_flight{service="fetches"} 0', metrics)


class Streams(FetchTest):
    def test_bodies_pass_in_constant_memory(self):
        size = 256 * MIB
        self.host.post("/stream", "", {"X-Url": self.url + f"/big/{MIB}"})
        with Watch(self.host) as watch:
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            client.connection.request("POST", "/stream", b"", {"X-Url": self.url + f"/big/{size}"})
            response = client.connection.getresponse()
            self.assertEqual(response.headers["X-Status"], "200")
            got = len(response.read(MIB))
            while piece := response.read(MIB):
                got += len(piece)
        self.assertEqual(got, size)
        self.assertLess(watch.growth(), GROWTH)
        self.assertEqual(self.fetch("/stream_on_thread", f"/big/{64 * MIB}").body, f"200 {64 * MIB}".encode())

    def test_a_client_that_leaves_ends_the_stream_at_its_source(self):
        client = self.send(f"POST /stream HTTP/1.1\nHost: x\nX-Url: {self.url}/big/{1024 * MIB}\nContent-Length: 0")
        client.recv(1000)
        self.leave(client)
        eventually(lambda: self.server.broken == 1, what="the end of the source")
        self.wait_alive(0)

    def test_a_stream_that_breaks_off_is_cut(self):
        client = self.send(f"POST /stream HTTP/1.1\nHost: x\nX-Url: {self.url}/cut\nContent-Length: 0")
        received = self.read_all(client)
        self.assertIn(b"the beginning", received)
        self.assertFalse(received.endswith(b"0\r\n\r\n"), "it has no end")
        self.wait_alive(0)


class Wrapped(Fetches):
    """Behind middleware that waits on a thread, whose loop is a private one."""
    PLUGIN = WRAPPED


class WrappedStreams(Streams):
    PLUGIN = WRAPPED


class Deadlines(FetchTest):
    ARGUMENTS = ("--timeout", "1")

    def test_the_request_s_own_deadline_counts(self):
        for how in ("/loop", "/thread"):
            began = time.monotonic()
            self.assertEqual(self.fetch(how, "/hangs").status, 504)
            self.assertLess(time.monotonic() - began, 5 * SLOW)
        eventually(lambda: self.server.hanging == 0, what="the end of the fetches")
        self.wait_alive(0)
        self.assertEqual(self.counts()["late"], 2)


class Stops(FetchTest):
    def test_a_stop_gives_fetches_up_at_its_end(self):
        self.host.stop()
        self.serve("--timeout-graceful-shutdown", "1")
        for how in ("/loop", "/thread"):
            self.begin(how, {"url": self.url + "/hangs"})
        eventually(lambda: self.server.hanging == 2, what="the fetches")
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0)
        self.assertLess(time.monotonic() - began, 1 + AT_ONCE + 3 * SLOW)
        eventually(lambda: self.server.hanging == 0, what="the end of the fetches")


class Https(FetchTest):
    def environment(self):
        self.files = self.folder()
        make_certificate(self.files, "ca", subject="the CA")
        return {**os.environ, "SSL_CERT_FILE": str(self.files / "ca.pem"), "SSL_CERT_DIR": "/nonexistent"}

    def serve_tls(self, pem, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        return self.start_server(context).server_port

    def test_the_server_must_be_who_it_should_be(self):
        port = self.serve_tls(*make_certificate(self.files, "good", ca="ca"))
        for how in ("/loop", "/thread"):
            for host in ("127.0.0.1", "localhost"):
                reply = self.fetch(how, "", url=f"https://{host}:{port}/hello")
                self.assertEqual((reply.status, reply.json().get("body")), (200, "hello"), reply.body)
        reply = self.fetch("/loop", "", url=f"https://127.0.0.2:{port}/hello")
        self.assertEqual(reply.status, 502)
        other = self.serve_tls(*make_certificate(self.files, "other"))
        for how in ("/loop", "/thread"):
            reply = self.fetch(how, "", url=f"https://localhost:{other}/hello")
            self.assertEqual(reply.status, 502)
            self.assertEqual(reply.json()["detail"], f"https://localhost:{other}: its certificate is not signed by a "
                                                     "CA that this system trusts")
            reply = self.fetch(how, "", url=f"https://127.0.0.1:{self.server.server_port}/")
            self.assertIn("it does not speak TLS", reply.json()["detail"])

    def test_large_bodies_pass_both_ways(self):
        port = self.serve_tls(*make_certificate(self.files, "good", ca="ca"))
        text = "some text " * 200000
        for how in ("/loop", "/thread"):
            got = self.fetch(how, "", url=f"https://localhost:{port}/post", method="POST", body=text).json()
            self.assertEqual(got["body"], text)


if __name__ == "__main__":
    main()
