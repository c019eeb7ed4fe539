"""Handlers that are coroutines of the SDK, in the real host: what they wait for, how they fail, how they are
cancelled, and that they hold no thread."""
import http.client
import json
import socket
import time
from pathlib import Path

from async_case import AsyncTest
from harness import AT_ONCE, PLUGINS, SLOW, eventually, main
from reload_case import ReloadTest
from test_streams import GROWTH, MIB, Watch

COROUTINES = str(PLUGINS / "libcoroutines.so")


class CoroutineTest(AsyncTest):
    PLUGIN = COROUTINES

    def setUp(self):
        self.serve()


class Values(CoroutineTest):
    def test_each_thing_that_can_be_awaited_goes_on(self):
        for path, text, answer in (("/shout", "hi", b"hi!"), ("/both_nap", "1", b"1+1"), ("/all", "a", b"a!17"),
                                   ("/first", "1", b"the nap"), ("/sleep", "1", b"slept"),
                                   ("/thread", "", b"elsewhere and back"), ("/promise", "word", b"word from a thread"),
                                   ("/within", "1", b"1"), ("/tasks", "x", b"x"),
                                   ("/many", "1000000", b"1000000 0! 1! 2! 3! 4! 5! 6! 7!")):
            reply = self.host.post(path, text)
            self.assertEqual((reply.status, reply.body), (200, answer), path)
        eventually(lambda: self.counts()["tasks"] == 1, what="the deferred task")
        self.wait_alive(0)

    def test_two_calls_are_under_way_at_once(self):
        self.host.post("/both_nap", "1")
        began = time.monotonic()
        self.assertEqual(self.host.post("/both_nap", "1000").body, b"1000+1000")
        self.assertLess(time.monotonic() - began, 1.9 * SLOW)

    def test_a_call_that_is_late_fails_alone(self):
        reply = self.host.post("/within", "1000")
        self.assertEqual(reply.status, 504)
        self.assertIn("worker.nap has not answered within 200 ms", reply.json()["detail"])
        self.assertEqual(self.host.post("/first", "1000").body, b"the clock")

    def test_exceptions_are_answered_as_those_of_a_thread(self):
        for what in ("error", "status", "exception", "int", "memory", "none"):
            thread = self.host.post("/throws_on_thread", what)
            for path in ("/throws", "/throws_late", *(("/thread",) if what != "none" else ())):
                reply = self.host.post(path, what)
                self.assertEqual(reply.status, thread.status, path + " " + what)
                if thread.status != 200:
                    self.assertEqual(reply.json()["detail"], thread.json()["detail"], path + " " + what)
        self.assertEqual(self.host.post("/shout", "nothing").status, 404)
        self.assertEqual(self.host.post("/blocks", "x").status, 500)
        self.host.log_line("wait() would hold up an event loop")


class BackgroundTasks(CoroutineTest):
    def setUp(self):
        self.serve("--timeout-graceful-shutdown", "1")

    def test_background_tasks_may_be_coroutines(self):
        self.assertEqual(self.host.post("/async_tasks", "word").body, b"word")
        eventually(lambda: self.counts()["tasks"] == 4, what="the row of tasks")
        self.assertEqual(self.host.post("/remind", "word").body, b"word")
        eventually(lambda: self.counts()["tasks"] == 5, what="another one")
        self.wait_alive(0)

    def test_a_background_coroutine_that_throws_ends_its_row(self):
        self.assertEqual(self.host.post("/task_fails", "x").body, b"x")
        line = self.host.log_line("a background task failed")
        self.assertIn("the task gave up", line)
        self.assertIn("not_run=1", line)
        self.assertEqual(self.counts()["tasks"], 0)

    def test_waiting_background_coroutines_hold_no_thread_and_end_with_the_host(self):
        threads = Path(f"/proc/{self.host.serving_pid}/task")
        before = len(list(threads.iterdir()))
        for _ in range(200):
            self.assertEqual(self.host.post("/task_waits", "1").status, 200)
        self.wait_alive(200)
        self.assertLess(len(list(threads.iterdir())), before + 8, "one loop is all they need")
        self.assertEqual(self.host.metrics()['bentohost_background_tasks{state="running"}'], 200)
        self.assertEqual(self.host.stop(), 0)
        self.assertIn("a background task failed: the host is stopping", self.host.stderr())


class Streams(CoroutineTest):
    def test_bodies_pass_in_constant_memory(self):
        self.host.get(f"/download/{MIB}")
        size = 128 * MIB
        with Watch(self.host) as watch:
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            client.connection.request("GET", f"/download/{size}")
            response = client.connection.getresponse()
            got = len(response.read(MIB))
            self.assertEqual(self.alive(), 1, "it waits for room")
            while piece := response.read(MIB):
                got += len(piece)
            client.connection.request("POST", "/upload", (b"u" * MIB for _ in range(128)),
                                      {"Content-Length": str(size)})
            self.assertEqual(client.connection.getresponse().read(), str(size).encode())
        self.assertEqual(got, size)
        self.assertLess(watch.growth(), GROWTH)
        self.assertEqual(self.host.post("/reflect", b"abc" * MIB).body, b"abc" * MIB)

    def test_a_generator_is_events_lines_or_bytes(self):
        reply = self.host.post("/letters", "abc")
        self.assertEqual(reply.header("content-type"), "text/event-stream")
        self.assertEqual(reply.body, b"".join(b"event: letter\ndata: %c\n\n" % c for c in b"abc"))
        reply = self.host.post("/points", '{"x":3,"y":9}')
        self.assertEqual(reply.header("content-type"), "application/x-ndjson")
        self.assertEqual([json.loads(line)["x"] for line in reply.body.splitlines()], [0, 1, 2])
        self.assertEqual(self.host.post("/points", '{"x":-1,"y":9}').status, 400)
        self.assertEqual(self.host.post("/points", '{"x":"a"}').status, 422)
        self.assertEqual(self.host.post("/texts", "").body, b"0123456789abcde\n" * 1_000_000)
        self.wait_alive(0)

    def test_an_error_cuts_off_what_has_begun(self):
        with self.assertRaises(http.client.IncompleteRead):
            self.host.get("/breaks_off")
        self.host.log_line("broken off")

    def test_a_generator_without_a_reader_waits_and_ends_with_its_client(self):
        connection = self.send("POST /texts HTTP/1.1\nHost: x\nContent-Length: 0")
        self.wait_alive(1)
        self.leave(connection)
        self.wait_alive(0)
        self.assertNotIn("[error]", self.host.stderr())

    def test_1000_event_streams_hold_no_thread_and_end_with_their_clients(self):
        before = len(list(Path(f"/proc/{self.host.serving_pid}/task").iterdir()))
        streams = [self.send("GET /ticks/50 HTTP/1.1\nHost: x") for _ in range(1000)]
        self.wait_alive(1000)
        for stream in streams:
            received = b""
            while b"data: 1\n" not in received:
                received += stream.recv(4096)
        self.assertLessEqual(len(list(Path(f"/proc/{self.host.serving_pid}/task").iterdir())), before + 4)
        for stream in streams:
            stream.close()
        self.wait_alive(0)
        self.assertEqual(self.counts()["cancelled"], 1000)
        self.assertNotIn("[error]", self.host.stderr())

    def test_the_stop_ends_streams(self):
        stream = self.send("GET /ticks/100000 HTTP/1.1\nHost: x")
        self.assertIn(b"200 OK", stream.recv(1000))
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0)
        self.assertLess(time.monotonic() - began, AT_ONCE)


class Apps(CoroutineTest):
    def test_a_router_has_coroutines_beside_threads(self):
        self.assertEqual(self.host.get("/web/shout/hi").body, b"hi!")
        self.assertEqual(self.host.post("/web/point", '{"x":1,"y":2}').json(), {"x": 2, "y": 1})
        self.assertEqual(self.host.post("/web/point", '{"x":1}').status, 422)
        self.assertEqual(self.host.get("/web/count/2").body, b"data: 0\n\ndata: 1\n\n")
        self.assertEqual(self.host.get("/web/thread").body, b"from a thread")
        self.assertEqual(self.host.get("/web/fails").status, 404)
        self.assertEqual(self.host.get("/web/nowhere").status, 404)
        self.assertEqual(self.host.post("/web/thread", "").status, 405)
        self.assertEqual(self.host.request("HEAD", "/web/shout/hi").status, 200)
        reply = self.host.post("/app/x", b"body")
        self.assertEqual((reply.status, reply.body), (201, b"body"))
        self.assertEqual(self.host.metrics()['bentohost_http_requests_total{code="200",method="GET",'
                                             'route="/web/shout/{text}"}'], 1)


class Cancelled(CoroutineTest):
    def test_20_calls_in_a_stopped_runner_are_unwound_when_their_clients_leave(self):
        self.stop_runner()
        asked = self.post_and_wait("/shout", "x", 20)
        for connection in asked:
            self.leave(connection)
        self.wait_alive(0)
        self.assertEqual(self.counts()["cancelled"], 20)
        self.assertNotIn("[error]", self.host.stderr())

    def test_many_that_are_abandoned_leave_nothing_behind(self):
        def descriptors():
            return len(list(Path(f"/proc/{self.host.serving_pid}/fd").iterdir()))
        for round_number in range(6):
            for connection in self.post_and_wait("/sleep", "300000", 500):
                self.leave(connection)
            self.wait_alive(0)
            if round_number == 0:
                before = eventually(descriptors)
        eventually(lambda: descriptors() <= before + 4, what="as many descriptors as before")
        self.assertEqual(self.counts()["cancelled"], 3000)


class Late(AsyncTest):
    def test_the_deadline_unwinds_it(self):
        self.serve("--timeout", "0.3", plugin=COROUTINES)
        reply = self.host.post("/sleep", "300000")
        self.assertEqual(reply.status, 504)
        self.wait_alive(0)
        self.assertEqual(self.counts()["late"], 1)


class Reloaded(ReloadTest, AsyncTest):
    def test_one_that_waits_ends_its_generation_when_it_has_ended(self):
        self.begin(plugin="coroutines")
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall(b"POST /sleep HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                           b"Content-Length: 4\r\n\r\n1000")
        self.wait_alive(1)
        self.put(Path(COROUTINES).read_bytes() + b"\0")  # another file, the same plugin
        self.assertEqual(self.reload("coroutines").json()["result"], "ok")
        self.assertEqual(self.alive(), 0, "the new generation has its own")
        answer = b""
        while not answer.endswith(b"slept"):
            answer += connection.recv(4096)
        eventually(lambda: self.report("coroutines")["generations"][0]["state"] == "retired", what="its end")


if __name__ == "__main__":
    main()
