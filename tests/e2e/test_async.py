"""Asynchronous handlers: they wait without a thread, and are woken by what they wait for, or because the
request is over."""
import http.client
import os
import shutil
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

from harness import AT_ONCE, PLUGINS, SLOW, HostTest, eventually, in_parallel, is_alive, main
from reload_case import ReloadTest
from test_streams import GROWTH, MIB, Watch
from test_tls import make_certificate

ASYNC, WRAPPED = str(PLUGINS / "libasync.so"), str(PLUGINS / "libasync_around.so")
# How soon a handler is to hear that its request is over.
SOON = 0.05


class AsyncTest(HostTest):
    PLUGIN = ASYNC

    def serve(self, *arguments, **options):
        self.host = self.start(*arguments, plugin=options.pop("plugin", self.PLUGIN), **options)
        return self.host

    def counts(self):
        return self.host.get("/counts").json()

    def alive(self):
        return self.counts()["alive"]

    def wait_alive(self, number):
        eventually(lambda: self.alive() == number, what=f"{number} handlers")

    def send(self, head, body=b""):
        """A connection on which the request has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall(head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        return connection

    def post_and_wait(self, path, text, number=1):
        """Connections that wait for their answers."""
        before = self.alive()
        asked = [self.send(f"POST {path} HTTP/1.1\nHost: x\nContent-Type: text/plain\nContent-Length: {len(text)}",
                          text.encode()) for _ in range(number)]
        self.wait_alive(before + number)
        return asked

    @staticmethod
    def read_all(connection):
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received

    def stop_runner(self):
        """The pid of the stopped worker; it goes on at the end of the test, before the host stops."""
        pid = self.host.runners()["worker"][0]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: is_alive(pid) and os.kill(pid, signal.SIGCONT))
        return pid

    def leave(self, connection):
        """The client resets its connection."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()


class Answers:
    """What is the same on the loop of a connection and behind middleware that waits."""

    def setUp(self):
        self.serve()

    def test_each_thing_that_it_waits_for_wakes_it(self):
        for path, text, answer in (("/echo", "now", b"now"), ("/both", "x", b"xa+xb"), ("/later", "5", b"later"),
                                   ("/promised", "it", b"kept it"), ("/promised", "nothing", b"nothing"),
                                   ("/offloaded", "5", b"offloaded"), ("/within", "1", b"in time"),
                                   ("/within", "200", b"too late"), ("/nap", "1", b"awake"),
                                   ("/leaves_tickets", "", b"left"), ("/defers", "", b"deferred")):
            reply = self.host.post(path, text)
            self.assertEqual((reply.status, reply.body), (200, answer), path)
        self.wait_alive(0)
        eventually(lambda: self.counts()["deferred"] == 1, what="the deferred task")

    def test_errors_are_answered_as_those_of_a_thread(self):
        for path, text, status, detail in (
                ("/fails", "5 there is none", 404, "there is none"),
                ("/fails", " 5 there is none", 404, "there is none"),
                ("/fails", " 3 not so", 400, "not so"),
                ("/fails", " 13 a secret", 500, "its log says why"),
                ("/fails", " 1000 pending", 500, "its log says why"),
                ("/refuses", "", 404, "refused at once"),
                ("/promised", "fail", 404, "the promise failed"),
                ("/silent", "", 500, "its log says why"),
                ("/waits", "", 500, "its log says why")):
            reply = self.host.post(path, text)
            self.assertEqual(reply.status, status, path + text)
            self.assertIn(detail, reply.json()["detail"])
        self.host.log_line("wait() would hold up an event loop")
        self.wait_alive(0)

    def test_large_inputs_and_results_pass(self):
        text = "ab" * 1_000_000
        self.assertEqual(self.host.post("/large", text).body.decode(), text + text)

    def test_a_body_is_received_in_pieces(self):
        connection = self.send("POST /upload HTTP/1.1\nHost: x\nContent-Length: 10", b"01234")
        self.wait_alive(1)
        connection.sendall(b"56789")
        answer = b""
        while b"\r\n\r\n10 " not in answer:
            answer += connection.recv(4096)
        self.wait_alive(0)
        self.assertTrue(self.host.post("/upload", b"").body.startswith(b"0 "))

    def test_what_is_sent_whole_has_a_length(self):
        reply = self.host.get("/whole")
        self.assertEqual((reply.status, reply.body, reply.header("content-length")), (201, b"whole", "5"))
        reply = self.host.request("HEAD", "/whole")
        self.assertEqual((reply.status, reply.body), (201, b""))

    def test_an_error_after_the_start_cuts_the_response(self):
        for path, words in (("/fails_late", "after its start"), ("/ends_early", "before the end of its answer")):
            with self.assertRaises(http.client.IncompleteRead):
                self.host.get(path)
            self.host.log_line(words)
        self.wait_alive(0)

    def test_a_body_passes_both_ways(self):
        body = os.urandom(MIB // 4)  # http.client reads nothing before it has sent all
        self.assertEqual(self.host.post("/mirror", body).body, body)

    def test_a_client_that_leaves_ends_a_stream(self):
        connection = self.send("GET /events HTTP/1.1\nHost: x")
        self.assertIn(b"200 OK", connection.recv(1000))
        self.leave(connection)
        self.wait_alive(0)
        self.assertNotIn("could not be completed", self.host.stderr())

    def test_the_stop_ends_streams(self):
        connection = self.send("GET /events HTTP/1.1\nHost: x")
        self.assertIn(b"200 OK", connection.recv(1000))
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0)
        self.assertLess(time.monotonic() - began, AT_ONCE)
        self.assertNotIn(" ERROR ", self.host.stderr())


class OnALoop(Answers, AsyncTest):
    pass


class BehindMiddlewareThatWaits(Answers, AsyncTest):
    PLUGIN = WRAPPED


class Threads(AsyncTest):
    def test_those_that_wait_hold_no_thread(self):
        self.serve("--threads", "1")
        asked = self.post_and_wait("/later", "300000", 50)
        self.assertEqual(self.host.post("/later", "1").body, b"later")
        self.assertEqual(self.host.metrics()["bentohost_handler_threads"], 0)
        for connection in asked:
            self.leave(connection)
        self.wait_alive(0)

    def test_hooks_see_the_response(self):
        self.serve()
        for method, path in (("POST", "/later"), ("GET", "/whole")):
            reply = self.host.request(method, path, "1" if method == "POST" else None)
            self.assertEqual(reply.header("x-hook"), "seen")
            self.assertTrue(reply.header("x-request-id"))

    def test_each_has_a_line_in_the_log_and_a_place_in_the_metrics(self):
        self.serve()
        self.host.post("/later", "1", {"X-Request-Id": "one-of-them"})
        eventually(lambda: any("one-of-them" in line and "/later" in line for line in self.host.stdout_lines))
        self.assertEqual(self.host.metrics()['bentohost_http_requests_total{code="200",method="POST",route="/later"}'], 1)

    def test_they_count_against_max_in_flight(self):
        self.serve("--max-in-flight", "2")
        asked = [self.send("POST /later HTTP/1.1\nHost: x\nContent-Type: text/plain\nContent-Length: 6", b"300000")
                 for _ in range(2)]
        eventually(lambda: self.host.metrics()["bentohost_http_requests_in_flight"] == 3, what="two that wait")
        self.assertEqual(self.host.post("/echo", "x").status, 503)
        for connection in asked:
            self.leave(connection)
        eventually(lambda: self.host.post("/echo", "x").status == 200)


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


class Cancellation(AsyncTest):
    def test_20_calls_in_a_stopped_runner_are_resumed_when_their_clients_leave(self):
        self.serve()
        self.stop_runner()
        asked = self.post_and_wait("/nap", "0", 20)
        began = time.monotonic()
        for connection in asked:
            self.leave(connection)
        self.wait_alive(0)
        took = time.monotonic() - began
        self.assertEqual(self.counts()["cancelled"], 20)
        self.assertLess(took, AT_ONCE)
        self.assertNotIn(" ERROR ", self.host.stderr())

    def test_whatever_it_waits_for_it_is_resumed_soon(self):
        self.serve()
        for path, text in (("/later", "300000"), ("/nap", "300000"), ("/holds", "")):
            if path == "/holds":
                continue
            took = []
            for _ in range(5):
                connection, = self.post_and_wait(path, text)
                began = time.monotonic()
                self.leave(connection)
                self.wait_alive(0)
                took.append(time.monotonic() - began)
            self.assertLess(min(took), SOON * SLOW, path)

    def test_work_on_a_thread_is_waited_for(self):
        self.serve()
        connection, = self.post_and_wait("/offloaded", "300")
        eventually(lambda: self.counts()["at_work"] == 1)
        self.leave(connection)
        self.wait_alive(0)
        self.assertEqual(self.counts(), {"alive": 0, "cancelled": 1, "late": 0, "at_work": 0, "deferred": 0})

    def test_the_deadline_wakes_it_and_is_504(self):
        self.serve("--timeout", "0.3")
        for path in ("/later", "/nap"):
            began = time.monotonic()
            self.assertEqual(self.host.post(path, "1000").status, 504)
            self.assertLess(time.monotonic() - began, AT_ONCE)
        self.wait_alive(0)
        self.assertEqual(self.counts()["late"], 2)

    def test_one_that_never_finishes_is_504_and_keeps_its_slot_until_it_does(self):
        self.serve("--timeout", "0.2")
        self.assertEqual(self.host.post("/holds", "").status, 504)
        in_flight = "bentohost_http_requests_in_flight"
        self.assertEqual((self.alive(), self.host.metrics()[in_flight]), (1, 2))
        self.assertEqual(self.host.post("/let_go", "").body, b"1")
        eventually(lambda: self.host.metrics()[in_flight] == 1, what="the release of its slot")
        self.wait_alive(0)

    def test_a_stream_has_no_deadline_and_may_call_runners(self):
        self.serve("--timeout", "0.2")
        connection = self.send("GET /events HTTP/1.1\nHost: x")
        received = b""
        while received.count(b"tick") < 20:  # 20 ms each
            received += connection.recv(4096)
        self.leave(connection)
        self.wait_alive(0)

    def test_one_that_waits_delays_the_stop_until_its_grace_is_over(self):
        self.serve("--timeout-graceful-shutdown", "1")
        asked = self.post_and_wait("/later", "300000", 3)
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertLess(time.monotonic() - began, AT_ONCE)
        for connection in asked:
            self.read_all(connection)

    def test_one_that_answers_in_the_grace_is_answered(self):
        self.serve()
        connection, = self.post_and_wait("/later", "500")
        self.host.process.send_signal(signal.SIGTERM)
        self.assertTrue(self.read_all(connection).endswith(b"later"))
        self.assertEqual(self.host.process.wait(timeout=60), 0)

    def test_10000_abandoned_requests_leave_nothing_behind(self):
        self.serve()
        number = 10_000 // SLOW
        descriptors = Path(f"/proc/{self.host.serving_pid}/fd")

        def abandon(many):
            for i in range(0, many, 50):
                asked = [self.send_quietly("/later", "300000") if i % 100 else self.send_quietly("/nap", "10")
                         for _ in range(50)]
                for connection in asked:
                    self.leave(connection)
        abandon(1000)
        self.wait_alive(0)
        before = len(list(descriptors.iterdir()))
        with Watch(self.host) as watch:
            abandon(number)
            self.wait_alive(0)
        eventually(lambda: len(list(descriptors.iterdir())) <= before + 1, what="the end of all connections")
        self.assertLess(watch.growth(), GROWTH / 2)
        metrics = self.host.metrics()
        self.assertEqual(metrics["bentohost_http_requests_in_flight"], 1)
        depth = 'bentohost_queue_depth{method="nap",runner="worker",service="waits"}'
        eventually(lambda: self.host.metrics()[depth] == 0, what="an empty queue")

    def send_quietly(self, path, text):
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        connection.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                            f"Content-Length: {len(text)}\r\n\r\n{text}").encode())
        return connection


class Reload(ReloadTest, AsyncTest):
    def test_one_that_waits_keeps_its_generation_until_it_has_finished(self):
        self.begin(plugin="async")
        connection, = self.post_and_wait("/holds", "")
        self.put("async_around")
        self.assertEqual(self.reload("waits").json()["result"], "ok")
        self.assertEqual(self.alive(), 0, "the new generation has its own")
        one = self.report("waits")["generations"][0]
        self.assertEqual((one["state"], one["requests"]), ("draining", 1))
        self.leave(connection)
        self.assertEqual(self.report("waits")["generations"][0]["state"], "draining", "it has not finished")

    def test_one_that_waits_ends_its_generation_when_it_finishes(self):
        self.begin(plugin="async")
        connection, = self.post_and_wait("/later", "1000")
        self.put("async_around")
        self.assertEqual(self.reload("waits").json()["result"], "ok")
        answer = b""
        while not answer.endswith(b"later"):
            answer += connection.recv(4096)
        eventually(lambda: self.report("waits")["generations"][0]["state"] == "retired", what="its end")


class Faults(AsyncTest):
    def test_a_call_that_holds_up_the_loop_is_named_once_a_minute_and_counted(self):
        self.serve()
        for api in ("stalls", "quick_stalls"):
            for _ in range(3):
                self.assertEqual(self.host.post("/" + api, "x").status, 200)
            series = f'bentohost_loop_stalls_total{{api="{api}",service="waits"}}'
            self.assertGreaterEqual(self.host.metrics()[series], 3)
            said = [line for line in self.host.stderr_lines if "held up an event loop" in line and f"={api} " in line]
            self.assertEqual(len(said), 1, self.host.stderr())

    def test_a_second_finish_is_ignored_and_logged(self):
        self.serve()
        self.assertEqual(self.host.post("/twice", "").body, b"once")
        self.host.log_line("api twice was finished twice")

    def test_a_crash_while_it_goes_on_names_the_api(self):
        self.serve()
        with self.assertRaises((OSError, http.client.HTTPException, AssertionError)):
            reply = self.host.post("/crashes", "")
            self.assertEqual(reply.status, 200)
        self.host.log_line("api crashes")


if __name__ == "__main__":
    main()
