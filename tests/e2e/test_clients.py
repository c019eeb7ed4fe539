"""Behaviour of clients: they leave, half-close, pipeline, stay idle, come through proxies."""
import contextlib
import json
import re
import resource
import socket
import threading
import time
from datetime import datetime
from pathlib import Path

from harness import AT_ONCE, SLOW, Client, HostTest, eventually, main
from http_wire import Wire, connect, get, head, post, reset, sized



class Clients(HostTest):
    def connect(self, host):
        connection = connect(host.port)
        self.addCleanup(connection.close)
        return connection

    def ask(self, host, data):
        wire = Wire(self.connect(host))
        wire.send(data)
        return wire

    def status_in_access_log(self, host, request_id):
        line = eventually(lambda: next((line for line in host.stdout_lines if request_id in line),
                                       None), what=f"{request_id} in the access log")
        return int(re.search(r'" (\d{3}) ', line)[1])

    def in_flight(self, host):
        return host.metrics()["bentohost_http_requests_in_flight"] - 1  # its own


class Leaving(Clients):
    def test_calls_that_still_queue_are_dropped(self):
        self.drops(self.start(), (reset,))

    def test_where_a_half_close_means_so_all_are_dropped(self):
        self.drops(self.start("--half-close", "drop"), (reset, socket.socket.close, half_close))

    def drops(self, host, leave):
        depth = 'bentohost_queue_depth{method="nap",runner="worker",service="lab"}'
        batches = 'bentohost_batch_size_count{method="nap",runner="worker",service="lab"}'
        failed = 'bentohost_runner_calls_total{method="nap",result="error",runner="worker",service="lab"}'
        busy = self.ask(host, sized(json.dumps([[int(800 * SLOW)]]), to="/nap"))
        eventually(lambda: host.metrics().get(batches) == 1)
        leaving = [self.ask(host, sized("[[60000]]", f"X-Request-Id: leaving-{i}", to="/nap"))
                   for i in range(8)]
        staying = self.ask(host, sized("[[1]]", to="/nap"))
        eventually(lambda: host.metrics()[depth] == 9)
        for i, wire in enumerate(leaving):
            leave[i % len(leave)](wire.connection)
        eventually(lambda: host.metrics()[depth] == 1, what="the end of what nobody waits for")
        self.assertEqual(self.in_flight(host), 2)
        self.assertEqual(host.metrics()[failed], 8)
        self.assertEqual([self.status_in_access_log(host, f"leaving-{i}") for i in range(8)],
                         [499] * 8)
        for wire in leaving:
            if wire.connection.fileno() >= 0:  # half-closed: no response
                self.assertEqual(wire.to_the_end(), b"")
        self.assertEqual([busy.answer().status, staying.answer().status], [200, 200])
        self.assertEqual(host.metrics()[batches], 2)

    def test_handlers_see_it_at_once(self):
        answering, dropping = self.start(), self.start("--half-close", "drop")
        for host, name, leave in ((answering, "one", reset), (dropping, "two", reset),
                                  (dropping, "three", socket.socket.close),
                                  (dropping, "four", half_close)):
            wire = self.ask(host, sized(name, to="/patient"))
            host.log_line(f"{name} waits")
            left = time.time()
            leave(wire.connection)
            line = host.log_line(f"{name} is cancelled")
            seen = datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()
            self.assertLess(seen - left, AT_ONCE)
        for host in (answering, dropping):
            eventually(lambda: self.in_flight(host) == 0)

    def test_handlers_see_it_behind_requests_that_were_sent_ahead(self):
        host = self.start()
        wire = self.ask(host, sized("name", to="/patient") + get() * 3)
        host.log_line("name waits")
        reset(wire.connection)
        host.log_line("name is cancelled")

    def test_handlers_of_streams_end(self):
        host = self.start()
        for leave in (socket.socket.close, reset):
            del host.stderr_lines[:]
            wire = self.ask(host, sized("for ever", to="/beats"))
            wire.until(b"tick\n")
            self.assertEqual(host.metrics()["bentohost_http_streams_open"], 1)
            leave(wire.connection)
            host.log_line("nobody listens to the ticks")
            eventually(lambda: host.metrics()["bentohost_http_streams_open"] == 0)

    def test_a_thousand_that_leave_in_the_middle_leave_nothing_behind(self):
        host = self.start()
        host.post("/echo", [[1]])
        before = host.metrics()["process_open_fds"]
        parts = (b"", b"POST /re", post("Content-Length: 1000", body="x" * 500),
                 post("Transfer-Encoding: chunked", body="5\r\nab"), sized("[[1]]", to="/echo"),
                 sized("x" * 200_000), sized("[[1]]", to="/rows") * 4)
        for i in range(1000):
            connection = self.connect(host)
            with contextlib.suppress(OSError):
                connection.sendall(parts[i % len(parts)])
            (reset if i % 3 else socket.socket.close)(connection)
        eventually(lambda: self.in_flight(host) == 0 and
                   host.metrics()["process_open_fds"] <= before, what="the end of all of them")
        eventually(lambda: host.metrics()["bentohost_http_connections"] == 1, what="this connection alone")
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])


def rest(wire):
    """The number of bytes that still come, and the last ones."""
    size, tail = len(wire.unread), wire.unread
    while piece := wire.connection.recv(1 << 20):
        size, tail = size + len(piece), (tail + piece)[-100:]
    return size, tail


def half_close(connection):
    connection.shutdown(socket.SHUT_WR)


class HalfClosing(Clients):
    def test_who_ends_its_half_while_it_waits_gets_all_of_its_answer(self):
        host = self.start()
        depth = 'bentohost_queue_depth{method="nap",runner="worker",service="lab"}'
        size = 200 << 20
        busy = self.ask(host, sized(f"[[{int(500 * SLOW)}]]", to="/nap"))
        queued = self.ask(host, sized("[[1]]", to="/nap"))
        eventually(lambda: host.metrics()[depth] == 1)
        slow = self.ask(host, sized("[[300]]", to="/slow"))
        large = self.ask(host, get(f"/download/{size}?sized"))
        large.until(b"\r\n\r\n")
        chunked = self.ask(host, get(f"/download/{size >> 4}"))
        chunked.until(b"\r\n\r\n")
        events = self.ask(host, sized("for ever", to="/beats"))
        events.until(b"tick\n")
        for wire in (busy, queued, slow, large, chunked, events):
            half_close(wire.connection)
        for _ in range(100):
            events.until(b"tick\n")
        self.assertEqual(rest(large)[0], size)
        self.assertTrue(rest(chunked)[1].endswith(b"x\r\n0\r\n\r\n"))
        for wire, body in ((busy, b"[["), (queued, b"1"), (slow, b"300")):
            answer = wire.answer()
            self.assertEqual((answer.status, wire.to_the_end()), (200, b""))
            self.assertIn(body, answer.body)
        reset(events.connection)
        host.log_line("nobody listens to the ticks")

    def test_who_ends_its_half_together_with_the_request_is_answered(self):
        host = self.start()
        for path, body, expected in (("/echo", "[[1]]", b"[[1]]"), ("/nap", "[[100]]", b"[[100]]"),
                                     ("/slow", "[[100]]", b"[[100]]"), ("/repeat", "x", b"xx")):
            connection = self.connect(host)
            # MSG_MORE holds the request back, so that it and the FIN are one segment.
            connection.send(sized(body, to=path), socket.MSG_MORE)
            connection.shutdown(socket.SHUT_WR)
            wire = Wire(connection)
            answer = wire.answer()
            self.assertEqual((answer.status, answer.body), (200, expected))
            self.assertEqual(wire.to_the_end(), b"")

    def test_requests_that_came_before_the_end_are_all_answered(self):
        host = self.start()
        connection = self.connect(host)
        connection.send(sized("[[50]]", to="/nap") * 2 + get(), socket.MSG_MORE)
        connection.shutdown(socket.SHUT_WR)
        wire = Wire(connection)
        self.assertEqual([wire.answer().status for _ in range(3)], [200] * 3)
        self.assertEqual(wire.to_the_end(), b"")

    def test_the_end_within_a_request_is_a_400(self):
        host = self.start()
        for part in (b"GET /livez HT", post("Content-Length: 5", body="ab")):
            wire = self.ask(host, part)
            wire.connection.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.answer().status, 400)
            self.assertEqual(wire.to_the_end(), b"")


class SendingAhead(Clients):
    def test_answers_come_in_the_order_of_the_requests_however_slow_the_first_is(self):
        host = self.start()
        for slow in ("/nap", "/slow"):
            began = time.monotonic()
            wire = self.ask(host, sized("[[300]]", to=slow) + sized("a") + get() +
                            sized("[[7]]", to="/echo") + get("/nowhere"))
            answers = [wire.answer() for _ in range(5)]
            self.assertGreater(time.monotonic() - began, 0.3)
            self.assertEqual([answer.status for answer in answers], [200, 200, 200, 200, 404])
            self.assertEqual([answer.body for answer in answers[:4]],
                             [b"[[300]]", b"aa", b"ok\n", b"[[7]]"])

    def test_many_at_once(self):
        host = self.start()
        connection = self.connect(host)
        wanted = [f"{i}-" * (i % 50) for i in range(1000)]
        sender = threading.Thread(target=lambda: [connection.sendall(sized(w)) for w in wanted])
        sender.start()
        wire = Wire(connection)
        for text in wanted:
            self.assertEqual(wire.answer().body.decode(), text * 2)
        sender.join()

    def test_large_answers_that_are_read_late_hold_back_what_follows(self):
        host = self.start()
        wire = self.ask(host, sized("x" * 4_000_000))
        asked = 'bentohost_http_requests_total{code="200",method="POST",route="/repeat"}'
        eventually(lambda: host.metrics().get(asked) == 1)
        threading.Thread(target=wire.send, args=(sized("y" * 100_000) * 5 + get(),)).start()
        for _ in range(20):
            self.assertEqual(host.metrics()[asked], 1)
        self.assertEqual(len(wire.answer().body), 8_000_000)
        self.assertEqual([len(wire.answer().body) for _ in range(5)], [200_000] * 5)
        self.assertEqual(wire.answer().body, b"ok\n")
        self.assertEqual(host.metrics()[asked], 6)


class OldOnes(Clients):
    def test_http_1_0_is_answered_and_closed(self):
        host = self.start()
        body = "Content-Length: 5"
        wire = self.ask(host, head("POST /echo HTTP/1.0", body, body="[[1]]"))
        answer = wire.answer()
        self.assertEqual((answer.status, answer.body, answer.header("connection")),
                         (200, b"[[1]]", "close"))
        self.assertEqual(wire.to_the_end(), b"")

    def test_http_1_0_keeps_alive_when_it_asks(self):
        host = self.start()
        wire = self.ask(host, head("GET /livez HTTP/1.0", "Connection: keep-alive"))
        self.assertEqual(wire.answer().header("connection"), "keep-alive")
        wire.send(head("GET /livez HTTP/1.0"))
        self.assertEqual(wire.answer().body, b"ok\n")
        self.assertEqual(wire.to_the_end(), b"")

    def test_a_stream_for_http_1_0_ends_with_the_connection(self):
        host = self.start()
        wire = self.ask(host, head("POST /beats HTTP/1.0", "Content-Length: 0"))
        answer_head = wire.until(b"\r\n\r\n").lower()
        self.assertNotIn(b"transfer-encoding", answer_head)
        self.assertIn(b"connection: close", answer_head)
        wire.until(b"tick\ntick\n")


class IdleOnes(Clients):
    CONNECTIONS = 500

    def tasks(self, host):
        return len(list(Path(f"/proc/{host.serving_pid}/task").iterdir()))

    def test_five_hundred_cost_no_threads_and_work_afterwards(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * self.CONNECTIONS:
            self.skipTest("not enough file descriptors are allowed")
        if soft != resource.RLIM_INFINITY and soft < 2 * self.CONNECTIONS:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * self.CONNECTIONS, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        host = self.start("--access-log", "off")
        wire = self.ask(host, sized("[[1]]", to="/echo"))
        self.assertEqual(wire.answer().status, 200)
        before = self.tasks(host)
        wires = [self.ask(host, sized("[[1]]", to="/echo") if i % 2 else get())
                 for i in range(self.CONNECTIONS)]
        self.assertEqual({wire.answer().status for wire in wires}, {200})
        self.assertEqual(self.tasks(host), before)
        self.assertEqual(host.metrics()["bentohost_http_connections"], self.CONNECTIONS + 2)
        for wire in wires:
            wire.send(sized("[[2]]", to="/echo"))
        self.assertEqual({wire.answer().body for wire in wires}, {b"[[2]]"})
        self.assertEqual(self.tasks(host), before)


class Proxies(Clients):
    def seen(self, where, *headers):
        """The client, without its port, and the scheme, as a handler sees them."""
        wire = where if isinstance(where, Wire) else Wire(self.connect(where))
        wire.send(sized("", *headers, to="/seen"))
        answer = wire.answer()
        self.assertEqual(answer.status, 200, answer.body)
        text = answer.body.decode()
        client = re.search(r"^client (.*)$", text, re.M)[1]
        return client.rpartition(":")[0], re.search(r"^scheme (.*)$", text, re.M)[1]

    FOR = "X-Forwarded-For: 203.0.113.7"
    PROTO = "X-Forwarded-Proto: https"
    FORWARDED = 'Forwarded: for="[2001:db8::7]:4711";proto=https'

    def test_nobody_is_believed_unless_told_so(self):
        for arguments in ((), ("--forwarded-allow-ips", ""), ("--forwarded-allow-ips", "192.0.2.1"),
                          ("--forwarded-allow-ips", "192.0.2.0/24,unix")):
            host = self.start(*arguments)
            for headers in ((self.FOR, self.PROTO), (self.FORWARDED,)):
                self.assertEqual(self.seen(host, *headers), ("127.0.0.1", "http"))

    def test_trusted_proxies_are(self):
        for trusted in ("127.0.0.1", "127.0.0.0/8", "192.0.2.1, 127.0.0.1", "*"):
            host = self.start("--forwarded-allow-ips", trusted)
            self.assertEqual(self.seen(host, self.FOR, self.PROTO), ("203.0.113.7", "https"))
            self.assertEqual(self.seen(host, self.FOR), ("203.0.113.7", "http"))
            self.assertEqual(self.seen(host, self.FORWARDED), ("[2001:db8::7]", "https"))
            self.assertEqual(self.seen(host), ("127.0.0.1", "http"))

    def test_of_a_chain_the_first_stranger_from_the_right_is_the_client(self):
        host = self.start("--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8")
        chain = "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.1.1.1"
        self.assertEqual(self.seen(host, chain), ("203.0.113.7", "http"))
        lines = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.2.2.2")
        self.assertEqual(self.seen(host, *lines), ("203.0.113.7", "http"))
        self.assertEqual(self.seen(host, "X-Forwarded-For: nonsense"), ("127.0.0.1", "http"))

    def test_each_request_of_a_connection_begins_anew(self):
        host = self.start("--forwarded-allow-ips", "127.0.0.1")
        wire = Wire(self.connect(host))
        self.assertEqual(self.seen(wire, self.FOR, self.PROTO), ("203.0.113.7", "https"))
        self.assertEqual(self.seen(wire), ("127.0.0.1", "http"))
        self.assertEqual(self.seen(wire, self.FORWARDED), ("[2001:db8::7]", "https"))
        self.assertEqual(self.seen(wire, self.PROTO), ("127.0.0.1", "https"))

    def test_a_proxy_behind_a_unix_socket(self):
        path = self.folder() / "x.sock"
        for trusted, expected in (("unix", "203.0.113.7:0"), ("127.0.0.1", "unix")):
            host = self.start("--bind", f"unix:{path}", "--forwarded-allow-ips", trusted)
            with Client(f"unix:{path}") as client:
                body = client.request("POST", "/seen", "", {"X-Forwarded-For": "203.0.113.7"}).body
            self.assertIn(f"client {expected}\n", body.decode())
            host.stop()

    def test_a_proxy_that_comes_over_ipv4_to_a_socket_of_both_families(self):
        with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
            host = self.start("--host", "::", "--forwarded-allow-ips", "127.0.0.1")
            host.port = int(host.urls[0].rpartition(":")[2])
            self.assertEqual(self.seen(host, self.FOR), ("203.0.113.7", "http"))
            return
        self.skipTest("this machine has no IPv6")

    def test_the_access_log_has_the_client_too(self):
        host = self.start("--forwarded-allow-ips", "127.0.0.1")
        host.get("/livez", {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "of-a-client"})
        eventually(lambda: any("203.0.113.7" in line and "of-a-client" in line
                               for line in host.stdout_lines))


if __name__ == "__main__":
    main()
