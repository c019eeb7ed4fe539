"""Each limit: the response to a client that exceeds it, the counted reason, and that others are still served."""
import contextlib
import gzip
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import zlib
from pathlib import Path

from harness import AT_ONCE, SLOW, Client, HostTest, eventually, in_parallel, main
from http_wire import Wire, chunked, connect, get, head, post, sized

REASON = 'bentohost_http_rejected_total{reason="%s"}'
WITH_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
PACE = 0.02  # seconds between the bytes of a slow client


def is_readable(connection, seconds=0):
    """Whether bytes or the end have come within this time."""
    return bool(select.select([connection], [], [], seconds)[0])


def drip(connection, data=b"x" * 100_000):
    """Sends a byte at a time until the server refuses; returns how long that took."""
    began = time.monotonic()
    for i in range(len(data)):
        if is_readable(connection, PACE):
            break
        connection.sendall(data[i:i + 1])
    return time.monotonic() - began


class Limits(HostTest):
    def connect(self, host):
        connection = connect(host.port)
        self.addCleanup(connection.close)
        return connection

    def is_problem(self, answer, status):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.header("content-type"), "application/problem+json")
        self.assertEqual(json.loads(answer.body)["status"], status)
        self.assertEqual(answer.header("retry-after"), "1" if status == 503 else "")

    def is_the_last_answer(self, wire, status):
        answer = wire.answer()
        self.is_problem(answer, status)
        self.assertEqual(answer.header("connection"), "close")
        self.assertEqual(wire.to_the_end(), b"")
        return answer

    def counts(self, host, reason, number):
        self.assertEqual(host.metrics().get(REASON % reason, 0), number)

    def refuses(self, host, data, status, reason):
        before = host.metrics().get(REASON % reason, 0)
        with connect(host.port) as connection:
            wire = Wire(connection)
            wire.send(data)
            answer = self.is_the_last_answer(wire, status)
        self.counts(host, reason, before + 1)
        return json.loads(answer.body)["detail"]

    def takes(self, host, data):
        wire = Wire(self.connect(host))
        wire.send(data)
        answer = wire.answer()
        self.assertEqual(answer.status, 200, answer.body)
        return answer


class Sizes(Limits):
    def setUp(self):
        self.host = self.start("--max-body", "1000", "--max-head", "2000", "--max-headers", "20",
                               "--max-request-line", "200")

    def test_max_body_as_sent(self):
        self.takes(self.host, sized("x" * 1000))
        self.assertIn("1000 bytes", self.refuses(self.host, sized("x" * 1001), 413, "body_size"))
        # Before any of the body has come.
        self.refuses(self.host, post("Content-Length: 5000000000"), 413, "body_size")

    def test_max_body_in_chunks(self):
        one = "64\r\n" + "x" * 100 + "\r\n"
        self.takes(self.host, chunked(one * 10 + "0\r\n\r\n"))
        self.refuses(self.host, chunked(one * 10 + "1\r\nx\r\n0\r\n\r\n"), 413, "body_size")
        self.refuses(self.host, chunked("3e9\r\n"), 413, "body_size")
        self.refuses(self.host, chunked("1\r\nx\r\n" * 1001 + "0\r\n\r\n"), 413, "body_size")

    def test_max_body_as_inflated(self):
        for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            header = f"Content-Encoding: {coding}"
            self.takes(self.host, sized(pack(b"x" * 1000), header))
            self.refuses(self.host, sized(pack(b"x" * 1001), header), 413, "body_size")
            bomb = pack(bytes(600_000))
            self.assertLess(len(bomb), 1000)
            self.refuses(self.host, sized(bomb, header), 413, "body_size")

    def test_a_bomb_is_known_by_its_ratio_before_it_has_cost_much(self):
        host = self.start("--max-body", "1g")
        before = host.metrics()["process_resident_memory_bytes"]
        bomb = gzip.compress(bytes(200_000_000))
        self.refuses(host, sized(bomb, "Content-Encoding: gzip"), 413, "body_size")
        grown = host.metrics()["process_resident_memory_bytes"] - before
        self.assertLess(grown, 8_000_000 * SLOW)

    def test_max_head(self):
        self.takes(self.host, sized("", "X: " + "x" * 1800))
        self.refuses(self.host, get("/livez", "X: " + "x" * 2000), 431, "head_size")
        self.refuses(self.host, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 431, "head_size")

    def test_max_headers(self):
        self.takes(self.host, get("/livez", *["X: y"] * 19))  # plus Host
        self.assertIn("20 headers", self.refuses(self.host, get("/livez", *["X: y"] * 20), 431,
                                                 "head_size"))

    def test_max_request_line(self):
        line = len("GET  HTTP/1.1")
        self.assertEqual(self.takes(self.host, get("/livez?" + "x" * (200 - line - 7))).body,
                         b"ok\n")
        self.refuses(self.host, get("/" + "x" * 200), 414, "target_size")

    def test_what_is_malformed_is_counted_as_such(self):
        self.refuses(self.host, head("GET / HTTP/1.1"), 400, "malformed")
        self.refuses(self.host, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "malformed")

    def test_it_serves_on_afterwards(self):
        self.refuses(self.host, sized("x" * 1001), 413, "body_size")
        self.assertEqual(self.host.post("/echo", [[1]]).json(), [[1]])
        eventually(lambda: self.host.metrics()["bentohost_http_connections"] == 1)


class Times(Limits):
    def took(self, seconds, least):
        self.assertGreater(seconds, least - 0.01)
        self.assertLess(seconds, least + AT_ONCE)

    def test_header_timeout_is_for_the_whole_head_however_it_drips(self):
        host = self.start("--header-timeout", "0.3")
        connection = self.connect(host)
        took = drip(connection, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 1000)
        self.is_the_last_answer(Wire(connection), 408)
        self.took(took, 0.3)
        self.counts(host, "header_timeout", 1)

    def test_header_timeout_is_for_each_request_of_a_connection(self):
        host = self.start("--header-timeout", "0.3")
        wire = Wire(self.connect(host))
        wire.send(get() + b"GET /livez HT")
        self.assertEqual(wire.answer().status, 200)
        self.is_the_last_answer(wire, 408)
        self.counts(host, "header_timeout", 1)

    def test_a_connection_without_a_request_is_closed_in_silence(self):
        host = self.start("--header-timeout", "0.3")
        began = time.monotonic()
        self.assertEqual(self.connect(host).recv(1), b"")
        self.took(time.monotonic() - began, 0.3)
        self.counts(host, "header_timeout", 0)

    def test_body_timeout(self):
        host = self.start("--body-timeout", "0.3")
        for start, data in ((post("Content-Length: 1000"), b"x" * 900),
                            (post("Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 200)):
            connection = self.connect(host)
            connection.sendall(start)
            took = drip(connection, data)
            self.is_the_last_answer(Wire(connection), 408)
            self.took(took, 0.3)
        self.counts(host, "body_timeout", 2)

    def test_min_rate_of_bodies_and_of_responses(self):
        host = self.start("--min-rate", "100000")
        large = "x" * 8_000_000

        def send_slowly():
            connection = self.connect(host)
            connection.sendall(post("Content-Length: 1000000"))
            took = drip(connection)
            self.is_the_last_answer(Wire(connection), 408)
            return took

        def read_slowly():
            connection = socket.socket()
            self.addCleanup(connection.close)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", host.port))
            connection.sendall(sized(large))
            began, received = time.monotonic(), 0
            cut = REASON % "min_rate" + " 2"
            with Client(host.port) as observer:
                while cut.encode() not in observer.request("GET", "/metrics").body:
                    received += len(connection.recv(1000))
                    self.assertLess(received, len(large))
                    is_readable(observer.connection.sock, 0.1)
            return time.monotonic() - began
        for took in in_parallel([send_slowly, read_slowly]):
            self.assertGreater(took, 4.9)  # the grace of 5 s, and the time of fast enough bytes
            self.assertLess(took, 2 * AT_ONCE)
        self.counts(host, "min_rate", 2)

    def test_write_timeout_cuts_off_a_client_that_does_not_read(self):
        host = self.start("--write-timeout", "0.3")
        connection = self.connect(host)
        body = "x" * 16_000_000
        began = time.monotonic()
        connection.sendall(sized(body))
        eventually(lambda: host.metrics().get(REASON % "write_timeout", 0) == 1)
        self.assertGreater(time.monotonic() - began, 0.3)
        # The connection that requests the metrics, when the ones before it are closed.
        eventually(lambda: host.metrics()["bentohost_http_connections"] == 1)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(1 << 20):
                received += len(piece)
        self.assertLess(received, 2 * len(body))

    def test_keep_alive_timeout_closes_what_is_idle_between_requests(self):
        host = self.start("--keep-alive-timeout", "0.3")
        wire = Wire(self.connect(host))
        for _ in range(2):
            wire.send(get())
            answer = wire.answer()
            self.assertEqual((answer.status, answer.header("connection")), (200, ""))
            began = time.monotonic()
        self.assertEqual(wire.to_the_end(), b"")
        self.took(time.monotonic() - began, 0.3)

    def test_a_handler_may_take_longer_than_any_of_these(self):
        host = self.start(*(part for name in ("header", "body", "write", "keep-alive")
                            for part in (f"--{name}-timeout", "0.1")))
        self.assertEqual(host.post("/nap", [[400]]).json(), [[400]])
        self.assertEqual(host.post("/slow", [[400]]).json(), [[400]])


class Connections(Limits):
    def test_max_requests_of_a_connection(self):
        host = self.start("--max-requests", "3")
        wire = Wire(self.connect(host))
        wire.send(get() * 4)
        self.assertEqual([wire.answer().header("connection") for _ in range(3)], ["", "", "close"])
        self.assertEqual(wire.to_the_end(), b"")

    def test_connections_beyond_max_connections_wait_and_are_served(self):
        host = self.start("--max-connections", "4")
        open_ones = [self.connect(host) for _ in range(4)]
        wires = [Wire(each) for each in open_ones]
        for wire in wires:
            wire.send(get())
            self.assertEqual(wire.answer().status, 200)
        waiting = [self.connect(host) for _ in range(3)]
        for each in waiting:
            each.sendall(get())
        host.log_line("--max-connections are open")
        for wire in wires:  # open connections are served, waiting ones are not
            wire.send(get())
            self.assertEqual(wire.answer().status, 200)
        self.assertEqual([is_readable(each) for each in waiting], [False] * 3)
        for each in open_ones[:3]:
            each.close()
        self.assertEqual([Wire(each).answer().status for each in waiting], [200] * 3)

    def test_operators_get_in_when_all_connections_are_open(self):
        path = self.folder() / "admin.sock"
        host = self.start("--max-connections", "3", "--admin-bind", f"unix:{path}")
        wires = [Wire(self.connect(host)) for _ in range(4)]
        for wire in wires:
            wire.send(get())
        host.log_line("--max-connections are open")
        with Client(f"unix:{path}") as first, Client(f"unix:{path}") as second:
            for client in (first, second):
                self.assertEqual(client.request("GET", "/readyz").status, 200)
                self.assertIn(b"bentohost_http_connections ",
                              client.request("GET", "/metrics").body)
            self.assertFalse(is_readable(wires[3].connection))
        wires[0].connection.close()
        self.assertEqual(wires[3].answer().status, 200)

    def test_a_server_that_stays_full_says_so_once(self):
        host = self.start("--max-connections", "2")
        current, following = self.connect(host), self.connect(host)
        following.sendall(get())
        Wire(following).answer()
        for _ in range(10):
            waiting = self.connect(host)
            waiting.sendall(get())
            self.assertFalse(is_readable(waiting, 0.005))  # the limit is reached
            current.close()
            self.assertEqual(Wire(waiting).answer().status, 200)
            current, following = following, waiting
        self.assertEqual(host.stderr().count("--max-connections are open"), 1)

    def test_max_connections_per_client(self):
        folder = self.folder()
        host = self.start("--max-connections-per-client", "2", "--bind", f"unix:{folder}/x.sock",
                          "--bind", "127.0.0.1:0")
        wires = [Wire(self.connect(host)) for _ in range(2)]
        for wire in wires:
            wire.send(get())
            self.assertEqual(wire.answer().status, 200)
        wire = Wire(self.connect(host))
        self.is_the_last_answer(wire, 503)
        with Client(f"unix:{folder}/x.sock") as neighbour:
            metrics = neighbour.request("GET", "/metrics").body.decode()
        self.assertIn(REASON % "client_connections" + " 1\n", metrics)
        # The client's address counts, not the listener.
        other = socket.create_connection(("127.0.0.1", int(host.urls[2].rpartition(":")[2])))
        with other:
            self.is_the_last_answer(Wire(other), 503)
        wires[0].connection.close()
        eventually(lambda: self.is_served(host), what="room for another connection")

    def is_served(self, host):
        with connect(host.port) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(get())
            return Wire(connection).answer().status == 200

    def test_one_connection_too_many_is_told_so_even_when_it_asks_at_once(self):
        host = self.start("--max-connections-per-client", "1")
        wire = Wire(self.connect(host))
        wire.send(get())
        self.assertEqual(wire.answer().status, 200)
        for _ in range(50):
            with Client(host.port) as client:
                self.assertEqual(client.request("POST", "/repeat", "x" * 1000).status, 503)


class Overload(Limits):
    def ask(self, host, path, ms):
        connection = self.connect(host)
        connection.sendall(sized(json.dumps([[ms]]), to=path))
        return Wire(connection)

    def in_flight(self, host):
        return host.metrics()["bentohost_http_requests_in_flight"] - 1  # its own

    def operators_are_answered(self, host):
        for path in ("/livez", "/healthz", "/readyz", "/metrics"):
            self.assertEqual(host.get(path).status, 200)

    def is_turned_away_at_once(self, host, path):
        wire = Wire(self.connect(host))
        began = time.monotonic()
        wire.send(sized("[[1]]", to=path))
        answer = wire.answer()
        self.assertLess(time.monotonic() - began, AT_ONCE)
        self.is_problem(answer, 503)
        self.assertEqual(answer.header("connection"), "")
        self.assertIn("overloaded", json.loads(answer.body)["detail"])

    def test_beyond_max_in_flight_apis_are_answered_503_and_operators_as_ever(self):
        host = self.start("--max-in-flight", "2")
        for path in ("/nap", "/slow"):
            busy = [self.ask(host, path, int(800 * SLOW)) for _ in range(2)]
            eventually(lambda: self.in_flight(host) == 2)
            for other in ("/echo", "/repeat", path):
                self.is_turned_away_at_once(host, other)
            self.operators_are_answered(host)
            self.assertEqual([wire.answer().status for wire in busy], [200] * 2)
            self.assertEqual(host.post("/echo", [[1]]).status, 200)
        refused = 'bentohost_http_requests_total{code="503",method="POST",route="/echo"}'
        self.assertEqual(host.metrics()[refused], 2)

    def test_beyond_max_queue_likewise(self):
        host = self.start("--max-queue", "3")
        depth = 'bentohost_queue_depth{method="nap",runner="worker",service="lab"}'
        busy = [self.ask(host, "/nap", int(400 * SLOW))]
        # Alone, or the worker may get two of them in one batch.
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 2, what="the first at the worker")
        busy += [self.ask(host, "/nap", int(400 * SLOW)) for _ in range(3)]
        eventually(lambda: host.metrics()[depth] == 3)
        self.is_turned_away_at_once(host, "/nap")
        self.operators_are_answered(host)
        self.assertEqual([wire.answer().status for wire in busy], [200] * 4)
        self.assertEqual(host.post("/nap", [[1]]).status, 200)


class Files(Limits):
    FILES = 128

    def start_with_few_files(self):
        return self.start(launcher=(sys.executable, "-c", WITH_FILES, str(self.FILES)))

    def cpu_seconds(self, host):
        fields = Path(f"/proc/{host.serving_pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def use_up_files(self, host):
        wires = [Wire(self.connect(host)) for _ in range(2 * self.FILES)]
        host.log_line("accepting connections failed")
        return wires

    def test_without_files_it_waits_idly_serves_who_is_there_and_recovers(self):
        host = self.start_with_few_files()
        wires = self.use_up_files(host)
        cpu, began = self.cpu_seconds(host), time.monotonic()
        for _ in range(3):  # through a runner
            wires[0].send(sized("[[200]]", to="/nap"))
            self.assertEqual(wires[0].answer().body, b"[[200]]")
        passed = time.monotonic() - began
        self.assertLess(self.cpu_seconds(host) - cpu, 0.2 * passed)
        for wire in wires[-self.FILES:]:
            wire.send(get())
        self.assertFalse(is_readable(wires[-1].connection))
        for wire in wires[:self.FILES]:
            wire.connection.close()
        # Most of the rest have room now, in the order in which they came.
        for wire in wires[self.FILES:-self.FILES // 2]:
            wire.send(get())
            self.assertEqual(wire.answer().status, 200)
        for wire in wires[self.FILES:]:
            wire.connection.close()
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])
        self.assertEqual(host.stderr().count("accepting connections failed"), 1)

    def test_a_runner_that_dies_meanwhile_is_back_once_there_are_files(self):
        host = self.start_with_few_files()
        wires = self.use_up_files(host)
        (pid,) = host.runners()["worker"]
        os.kill(pid, signal.SIGKILL)
        host.log_line("runner ended")
        for wire in wires:
            wire.connection.close()
        eventually(lambda: host.post("/echo", [[1]]).status == 200)
        self.assertEqual(host.get("/readyz").status, 200)


if __name__ == "__main__":
    main()
