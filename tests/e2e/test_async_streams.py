"""Asynchronous handlers and their connections: any amount in constant memory, both ways; pipelining, HTTP/1.0, TLS."""
import os
import socket
import ssl
import threading

from async_case import AsyncTest
from harness import SLOW, main
from test_streams import GROWTH, MIB, Watch
from test_tls import make_certificate


class Connections(AsyncTest):
    def test_pipelined_requests_are_answered_in_order(self):
        self.serve()
        request = "POST /later HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n{}"
        whole = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n{}"
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall("".join([request.format(9), whole.format("a"), request.format(1),
                                    whole.format("b")]).encode())
        received = b""
        while received.count(b"HTTP/1.1 200") < 4 or not received.endswith(b"\r\n\r\nb"):
            received += connection.recv(4096)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]]
        self.assertEqual(bodies, [b"later", b"a", b"later", b"b"])

    def test_http_1_0(self):
        self.serve()
        answer = self.read_all(self.send("GET /download?1 HTTP/1.0\nHost: x"))
        self.assertEqual(len(answer.partition(b"\r\n\r\n")[2]), MIB)
        answer = self.read_all(self.send("POST /both HTTP/1.0\nContent-Type: text/plain\nContent-Length: 1", b"x"))
        self.assertTrue(answer.endswith(b"\r\n\r\nxa+xb"), answer)

    def test_tls(self):
        folder = self.folder()
        pem, key = make_certificate(folder, "server")
        self.serve("--ssl-certfile", str(pem), "--ssl-keyfile", str(key),
                   tls=ssl.create_default_context(cafile=pem))
        self.assertEqual(self.host.post("/both", "x").body, b"xa+xb")
        self.assertEqual(len(self.host.get("/download?8").body), 8 * MIB)
        body = os.urandom(MIB // 4)
        self.assertEqual(self.host.post("/mirror", body).body, body)

    def test_head_ends_a_stream_at_once(self):
        self.serve()
        self.assertEqual(self.host.request("HEAD", "/events").status, 200)
        self.wait_alive(0)


class BackPressure(AsyncTest):
    SIZE = 256

    def setUp(self):
        self.serve("--max-body", "1g")
        self.host.get("/download?1")

    def test_a_slow_reader_costs_no_memory_and_gets_all(self):
        with Watch(self.host) as watch:
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            client.connection.request("GET", f"/download?{self.SIZE}")
            response = client.connection.getresponse()
            size = len(response.read(MIB))
            self.assertEqual(self.alive(), 1, "it waits until the rest is read")
            while piece := response.read(MIB):
                size += len(piece)
        self.assertEqual(size, self.SIZE * MIB)
        self.assertLess(watch.growth(), GROWTH)
        self.wait_alive(0)

    def test_an_upload_passes_through_constant_memory(self):
        piece = os.urandom(MIB)
        with Watch(self.host) as watch:
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            client.connection.request("POST", "/upload", (piece for _ in range(self.SIZE)),
                                      {"Content-Length": str(self.SIZE * MIB)})
            answer = client.connection.getresponse().read()
        self.assertTrue(answer.startswith(b"%d " % (self.SIZE * MIB)), answer)
        self.assertLess(watch.growth(), GROWTH)

    def test_a_body_that_goes_both_ways_is_held_back_by_a_client_that_does_not_read(self):
        size = self.SIZE * MIB
        with Watch(self.host) as watch:
            connection = self.send(f"POST /mirror HTTP/1.1\nHost: x\nContent-Length: {size}")
            piece, sent = b"z" * MIB, 0
            connection.settimeout(1)
            try:
                while sent < size:
                    sent += connection.send(piece)
            except TimeoutError:
                pass
            self.assertLess(sent, size, "the host took all of it, though nothing was read")
            connection.settimeout(60 * SLOW)

            def send_rest():
                left = size - sent
                while left > 0:
                    left -= connection.send(piece[:left])
            sender = threading.Thread(target=send_rest)
            sender.start()
            received, tail = 0, b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                got = connection.recv(MIB)
                self.assertTrue(got, "the response was cut")
                received += len(got)
                tail = (tail + got)[-16:]
            sender.join()
        self.assertGreater(received, size)
        self.assertLess(watch.growth(), GROWTH)

    def test_who_does_not_ask_for_room_is_refused(self):
        connection = self.send("GET /floods HTTP/1.1\nHost: x")
        self.host.log_line("ask when(CAN_SEND)")
        self.wait_alive(0)
        self.assertLess(len(self.read_all(connection)), 64 * MIB)


if __name__ == "__main__":
    main()
