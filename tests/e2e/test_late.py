"""Late and unwanted work: work that nobody waits for any more is never begun, and waiting work is bounded."""
import threading
import time
import unittest

from harness import SLOW, HostTest, eventually, in_parallel, main
from http_wire import Wire, connect

ORIGIN = {"Origin": "https://page.example"}


def begun(host):
    """How many calls of `slow` have begun."""
    return int(host.get("/begun").body)


class Background:
    """A request in flight; `reply` is set once it is answered."""

    def __init__(self, host, path, body):
        self.reply = None

        def ask():
            self.reply = host.post(path, body)
        self.thread = threading.Thread(target=ask)
        self.thread.start()

    def wait(self):
        self.thread.join()
        return self.reply


def wait_until(moment):
    eventually(lambda: time.monotonic() >= moment, what="a moment")


class Late(HostTest):
    def test_a_handler_whose_requests_deadline_has_passed_is_not_called(self):
        host = self.start("--threads", "1", "--timeout", "1")
        replies = in_parallel([lambda: host.post("/slow", [[500]])] * 12)
        self.assertLessEqual({reply.status for reply in replies}, {200, 504})
        self.assertEqual(host.post("/slow", [[0]]).status, 200, "for the queue is empty")
        self.assertLess(begun(host), 8)
        self.assertIn("no thread was free", host.stderr())

    def test_a_request_keeps_its_slot_until_its_handler_has_returned(self):
        host = self.start("--timeout", "0.3", "--max-in-flight", "2")
        replies = in_parallel([lambda: host.post("/slow", [[3000 * SLOW]])] * 2)
        self.assertEqual([reply.status for reply in replies], [504, 504])
        self.assertGreaterEqual(host.metrics()["bentohost_http_requests_in_flight"], 2)
        refused = host.post("/repeat", "x")
        self.assertEqual((refused.status, refused.header("retry-after")), (503, "1"))
        self.assertIn("2 requests are in flight", refused.json()["detail"])
        eventually(lambda: host.post("/repeat", "x").status == 200)

    def test_the_queue_for_threads_is_bounded_in_number(self):
        host = self.start("--threads", "1", "--max-handler-queue", "2")
        first = Background(host, "/slow", [[1500 * SLOW]])
        eventually(lambda: begun(host) == 1)
        waiting = [Background(host, "/slow", [[0]]) for _ in range(2)]
        eventually(lambda: host.metrics()["bentohost_handler_queue_depth"] == 2)
        refused = host.post("/slow", [[0]])
        self.assertEqual((refused.status, refused.header("retry-after")), (503, "1"))
        self.assertIn("wait for a thread", refused.json()["detail"])
        self.assertEqual([each.wait().status for each in [first, *waiting]], [200] * 3)
        self.assertEqual(
            host.metrics()['bentohost_http_rejected_total{reason="handler_queue"}'], 1)

    def test_the_queue_for_threads_is_bounded_in_bytes(self):
        host = self.start("--threads", "1", "--max-handler-queue-bytes", "100k")
        first = Background(host, "/slow", [[1500 * SLOW]])
        eventually(lambda: begun(host) == 1)
        waiting = Background(host, "/repeat", "x" * 60_000)
        eventually(lambda: host.metrics()["bentohost_handler_queue_bytes"] == 60_000)
        self.assertEqual(host.post("/repeat", "x" * 60_000).status, 503)
        self.assertEqual([each.wait().status for each in (first, waiting)], [200, 200])

    def test_a_stop_begins_no_handler_whose_client_was_answered(self):
        host = self.start("--threads", "1", "--timeout", "0.3")
        replies = in_parallel([lambda: host.post("/slow", [[3000]])] * 10)
        self.assertEqual({reply.status for reply in replies}, {504})
        self.assertEqual(begun(host), 1)
        asked = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - asked, 12 * SLOW)

    def test_the_time_limit_counts_from_the_end_of_the_body(self):
        host = self.start("--timeout", "0.5", "--body-timeout", "60")
        for path, body, answer in (("/repeat", b"ab", b"abab"),
                                   ("/upload", b"ab", None)):
            with connect(host.port) as connection:
                wire = Wire(connection)
                wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".encode())
                wait_until(time.monotonic() + 1.5)
                wire.send(body)
                reply = wire.answer()
                self.assertEqual(reply.status, 200, (path, reply.body))
                if answer:
                    self.assertEqual(reply.body, answer)

    def test_the_504_of_a_direct_api_is_always_the_same(self):
        host = self.start("--timeout", "0.4", "--use", "cors={\"access_control_allow_origins\":[\"*\"]}")

        def ask():
            with host.client() as client:
                reply = client.request("POST", "/nap", [[800]], ORIGIN)
                return reply.status, reply.header("access-control-allow-origin"), \
                    reply.header("connection")
        self.assertEqual(set(in_parallel([ask] * 16)), {(504, "*", None)})


class Memory(HostTest):
    def test_the_bodies_of_all_requests_are_bounded_together(self):
        host = self.start("--max-body-memory", "100k")
        head = b"POST /repeat HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
        with connect(host.port) as one, connect(host.port) as other:
            first, second = Wire(one), Wire(other)
            first.send(head + b"x" * 60_000)
            eventually(lambda: host.metrics()["bentohost_body_memory_bytes"] == 60_000)
            second.send(head + b"x" * 60_000)
            refused = second.answer()
            self.assertEqual(refused.status, 503)
            self.assertIn(b"--max-body-memory", refused.body)
            first.send(b"x" * 10_000)
            self.assertEqual(first.answer().status, 200)
        self.assertEqual(host.metrics()['bentohost_http_rejected_total{reason="body_memory"}'], 1)
        eventually(lambda: host.metrics()["bentohost_body_memory_bytes"] == 0)

    def test_a_body_that_is_taken_as_it_comes_needs_little_at_once(self):
        host = self.start("--max-body-memory", "600k")
        self.assertEqual(host.post("/upload", "x" * 5_000_000).status, 200)

    @unittest.skipIf(SLOW > 1, "sanitizers need more addresses than that")
    def test_a_body_without_memory_for_it_is_that_requests_failure_alone(self):
        # One arena: each arena of glibc takes 128 MB of address space for a moment.
        host = self.start(launcher=("prlimit", f"--as={256 << 20}"), env={"MALLOC_ARENA_MAX": "1"})
        serving = host.serving_pid
        for path in ("/repeat", "/echo", "/upload"):
            with host.client() as client:
                try:
                    status = client.request("POST", path, b"[" + b"1," * 30_000_000).status
                except (BrokenPipeError, ConnectionResetError):
                    continue  # the request was refused before all of it was sent
                self.assertIn(status, (200, 400, 500, 503), path)
        self.assertEqual(host.post("/repeat", "x").body, b"xx")
        self.assertEqual(host.serving_pid, serving, host.stderr())


if __name__ == "__main__":
    main()
