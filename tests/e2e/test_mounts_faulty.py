"""Mounted programs that misbehave, and those behind middleware, TLS and tunnels."""
import re
import socket
import ssl
import subprocess
import threading
import time

from harness import AT_ONCE, EXE, PLUGINS, SLOW, eventually, main
from mount_case import MIB, MountCase, raw


class Faulty(MountCase):
    """What a server may do wrong, or in an unusual way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = None

    def ask(self, path):
        if type(self).shared is None:
            type(self).shared = self.faulty()
            type(self).addClassCleanup(type(self).shared.stop)
        return type(self).shared.get(path)

    def _stop(self, host):
        if host is not type(self).shared:
            super()._stop(host)

    @staticmethod
    def connections(host):
        return host.metrics()['bentohost_mount_connections{mount="/",service="mounts"}']

    def test_nonsense_is_502(self):
        for path in ("/garbage", "/http09", "/lengths", "/huge", "/fold", "/name", "/closes"):
            with self.subTest(path):
                reply = self.ask(path)
                self.assertEqual((reply.status, reply.header("content-type")), (502, "application/problem+json"))
                self.assertEqual(self.ask("/").body, b"ok")

    def test_unusual_answers_are_read(self):
        for path in ("/hints", "/continue", "/trailers", "/both", "/bytes", "/extra", "/hop", "/server"):
            with self.subTest(path):
                reply = self.ask(path)
                self.assertEqual((reply.status, reply.body), (200, b"ok"))
        self.assertEqual(self.ask("/toclose").body, b"until the end")
        self.assertEqual(self.ask("/notmodified").status, 304)
        self.assertEqual(self.ask("/none").status, 204)

    def test_bytes_after_a_response_are_never_the_next_one(self):
        for _ in range(3):
            self.assertEqual(self.ask("/extra").body, b"ok")
            self.assertEqual(self.ask("/").body, b"ok")

    def test_a_second_response_is_nobodys(self):
        host = self.faulty("--loops", "1")  # which has one pool of connections
        for _ in range(5):
            self.assertEqual(host.get("/later").body, b"ok")
            eventually(lambda: self.connections(host) == 0)  # dropped, when the bytes came
            self.assertEqual(host.get("/").body, b"ok")

    def test_hop_by_hop_headers_stay_behind(self):
        names = {name.lower() for name, _ in self.ask("/hop").headers}
        self.assertFalse(names & {"x-hop", "keep-alive", "upgrade"})
        self.assertIn("x-end", names)
        self.assertEqual(self.ask("/server").header("server"), "bentohost")
        self.assertNotEqual(self.ask("/server").header("date"), "yesterday")

    def test_a_body_that_ends_too_soon_is_cut(self):
        for path in (b"/dies", b"/diesinchunks", b"/chunk"):
            with self.subTest(path):
                self.ask("/")
                answer = raw(type(self).shared, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                self.assertNotIn(b"0\r\n\r\n", answer)
                length = re.search(rb"Content-Length: (\d+)", answer)
                body = answer.partition(b"\r\n\r\n")[2]
                self.assertTrue(length is None or len(body) < int(length[1]) or b" 502 " in answer, answer)

    def test_connections_are_kept(self):
        numbers = [int(self.ask("/number").body) for _ in range(5)]
        self.assertGreater(max(numbers), 1)

    def test_a_connection_that_the_server_ends_is_dropped(self):
        host = self.faulty("--loops", "1")  # which has one pool of connections
        for _ in range(5):
            self.assertEqual(host.get("/once").status, 200)
            eventually(lambda: self.connections(host) == 0)
            self.assertEqual(host.get("/").status, 200)

    def test_what_is_sent(self):
        self.ask("/")
        answer = raw(type(self).shared, b"POST /head HTTP/1.1\r\nHost: me\r\nTransfer-Encoding: chunked\r\n"
                     b"X_Under: 1\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        sent = answer.rpartition(b"\r\n\r\nPOST ")[2]
        self.assertTrue(sent.startswith(b"/head HTTP/1.1\r\n"), answer)
        self.assertIn(b"host: me\r\n", sent.lower())
        for absent in (b"x_under", b"expect:"):
            self.assertNotIn(absent, sent.lower())

    def test_a_silent_server_times_out(self):
        host = self.faulty("--mount-set", "/.read_timeout=0.3")
        reply = host.get("/silent")
        self.assertEqual((reply.status, reply.header("content-type")), (504, "application/problem+json"))
        self.assertEqual(host.get("/").body, b"ok")

    def test_through_every_layer(self):
        """TLS, and middleware in hooks and in threads, around the program."""
        for middleware in ("gzip", "cors", "trusted_host", "request_timeout"):
            host = self.faulty("--use", middleware)
            self.assertEqual(host.get("/").body, b"ok")
            self.assertEqual(host.get("/garbage").status, 502)
            self.assertEqual(host.get("/toclose").body, b"until the end")


UPGRADE = (b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class Plugins(MountCase):
    """Programs that a plugin mounts, inside of its middleware."""

    def tunnel(self, connection, path=b"/program/upgrade"):
        """Opens a tunnel and sends through it; returns its head."""
        connection.sendall(UPGRADE % path)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return head
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            return head
        sent = bytes(range(256)) * 2000
        thread = threading.Thread(target=connection.sendall, args=(sent,))
        thread.start()
        while len(rest) < len(sent):
            rest += connection.recv(65536)
        thread.join()
        self.assertEqual(rest, sent)
        return head

    def test_hooks_see_heads_and_not_tunnels(self):
        host = self.start(plugin=str(PLUGINS / "libprograms.so"))
        reply = host.get("/program/")
        self.assertEqual((reply.body, reply.header("x-mark")), (b"ok", "yes"))
        self.assertEqual(host.get("/hello").body, b"hello")
        for body in (b"small", b"x" * 100_000):  # the hook has set a header
            sent = host.post("/program/head", body).body
            self.assertIn(b"x-edited: yes", sent)
            self.assertTrue(sent.endswith(b"\r\n\r\n" + body))
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            head = self.tunnel(connection)
        self.assertIn(b"\r\nX-Mark: yes", head)
        self.assertIn(b"\r\nUpgrade: websocket", head)
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 1)  # that of /metrics

    def test_a_tunnel_through_tls(self):
        folder = self.folder()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", folder / "key", "-out",
                        folder / "pem"], check=True, capture_output=True)
        context = ssl.create_default_context(cafile=folder / "pem")
        context.check_hostname = False
        host = self.start("--ssl-certfile", str(folder / "pem"), "--ssl-keyfile", str(folder / "key"),
                          plugin=str(PLUGINS / "libprograms.so"), tls=context)
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as plain:
            with context.wrap_socket(plain) as connection:
                self.assertIn(b" 101 ", self.tunnel(connection))
        self.assertIn(b"x-forwarded-proto: https", host.get("/program/head").body)

    def test_a_tunnel_that_is_idle_ends(self):
        host = self.faulty("--mount-set", "/.tunnel_timeout=0.3")
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            self.assertIn(b" 101 ", self.tunnel(connection, b"/upgrade"))
            self.assertEqual(connection.recv(1), b"")

    def test_neither_a_stop_nor_a_reload_waits_for_tunnels(self):
        host = self.faulty("--admin-bind", "127.0.0.1:0")
        admin = host.log_line("the admin port is at").rsplit(" ", 1)[-1]
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            self.assertIn(b" 101 ", self.tunnel(connection, b"/upgrade"))
            done = subprocess.run([EXE, "reload", "--force", admin, "mounts"], check=False, capture_output=True,
                                  text=True, timeout=60 * SLOW)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(connection.recv(1), b"")
        host.log_line("a generation has ended")
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            self.assertIn(b" 101 ", self.tunnel(connection, b"/upgrade"))
            began = time.monotonic()
            self.assertEqual(host.stop(), 0)
            self.assertLess(time.monotonic() - began, AT_ONCE)
            self.assertEqual(connection.recv(1), b"")

    def test_behind_middleware_that_waits(self):
        host = self.start(plugin=str(PLUGINS / "libprograms_around.so"))
        reply = host.get("/program/")
        self.assertEqual((reply.body, reply.header("x-mark"), reply.header("x-around")), (b"ok", "yes", "yes"))
        body = b"x" * (3 * MIB)
        self.assertGreaterEqual(host.post("/program/head", body).body.count(b"x"), len(body))
        self.assertEqual(host.get("/program/toclose").body, b"until the end")
        self.assertEqual(host.get("/program/garbage").status, 502)
        self.assertNotIn(b"0\r\n\r\n", raw(host, b"GET /program/diesinchunks HTTP/1.1\r\nHost: x\r\n\r\n"))
        chunks = (b"POST /program/head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        self.assertIn(b"abc", raw(host, chunks))
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            self.assertIn(b" 501 ", self.tunnel(connection).splitlines()[0])


if __name__ == "__main__":
    main()
