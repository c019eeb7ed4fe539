"""Background tasks: the client gets its response, and then callbacks are sent, in order and within bounds."""
import http.server
import json
import threading
import time

from harness import SLOW, HostTest, eventually, in_parallel, main

SETOSA, VIRGINICA = [4.9, 3.0, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]
TASKS = 'bentohost_background_tasks{state="%s"}'
RESULTS = 'bentohost_background_tasks_total{result="%s"}'


class Callbacks:
    """A server for callbacks. It answers /NUMBER with that status, and nothing while it is closed."""

    def __init__(self):
        callbacks, self.open, self.lock = self, threading.Event(), threading.Lock()
        self.received = []  # (path, JSON, request id), in order of arrival
        self.at_once = self.most_at_once = 0
        self.open.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with callbacks.lock:
                    callbacks.received.append((self.path, body, self.headers["X-Request-Id"]))
                    callbacks.at_once += 1
                    callbacks.most_at_once = max(callbacks.most_at_once, callbacks.at_once)
                callbacks.open.wait(60 * SLOW)
                with callbacks.lock:
                    callbacks.at_once -= 1
                try:
                    self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the task has given up

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def paths(self):
        return [path for path, _, _ in self.received]

    def stop(self):
        self.open.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Background(HostTest):
    def setUp(self):
        self.callbacks = Callbacks()
        self.addCleanup(self.callbacks.stop)

    def serve(self, *arguments, paths=("/a",), **options):
        """A host that sends callbacks to these paths, with classify_with_task to the first of them."""
        urls = [path if path.startswith("http") else self.callbacks.url(path) for path in paths]
        options.setdefault("timeout_ms", 60000 * SLOW)
        settings = {"callback_url": urls[0], "callback_urls": json.dumps(urls), **options}
        self.host = self.start(*arguments, *(word for name, value in settings.items()
                                             for word in ("--set", f"iris_background.{name}={value}")),
                               plugin="libiris_background.so")
        return self.host

    def ask(self, rows=(SETOSA,)):
        return self.host.post("/classify_with_multi_tasks", list(rows))

    def wait_for_tasks(self, **numbers):
        """Waits until this many tasks have had each result, and none waits or runs."""
        def has_come():
            metrics = self.host.metrics()
            return (all(metrics.get(RESULTS % result, 0) == n for result, n in numbers.items())
                    and metrics.get(TASKS % "queued", 0) == metrics.get(TASKS % "running", 0) == 0)
        eventually(has_come, what=f"{numbers} tasks")

    def test_a_result_is_posted_to_the_callback_url(self):
        host = self.serve()
        reply = host.post("/classify_with_task", [SETOSA, VIRGINICA])
        self.assertEqual((reply.status, reply.json()), (200, [0, 2]))
        self.wait_for_tasks(done=1)
        self.assertEqual(self.callbacks.received,
                         [("/a", {"classes": [0, 2]}, reply.header("x-request-id"))])
        self.assertEqual(host.metrics()["bentohost_background_task_duration_seconds_count"], 1)

    def test_the_answer_does_not_wait_for_the_tasks(self):
        host = self.serve()
        self.callbacks.open.clear()
        with host.client() as client:  # the connection is free again, too
            for _ in range(2):
                reply = client.request("POST", "/classify_with_task", [SETOSA])
                self.assertEqual((reply.status, reply.json()), (200, [0]))
        eventually(lambda: host.metrics()[TASKS % "running"] == 2)
        self.callbacks.open.set()
        self.wait_for_tasks(done=2)

    def test_the_tasks_of_a_request_run_in_order_one_after_the_other(self):
        paths = [f"/{letter}" for letter in "abcdefgh"]
        self.serve(paths=paths)
        self.assertEqual(self.ask().json(), {"message": "success"})
        self.wait_for_tasks(done=8)
        self.assertEqual(self.callbacks.paths(), paths)
        self.assertEqual(self.callbacks.most_at_once, 1)

    def test_rows_of_several_requests_run_side_by_side(self):
        self.serve("--background-threads", "3")
        self.callbacks.open.clear()
        for _ in range(5):
            self.ask()
        eventually(lambda: self.callbacks.at_once == 3)
        eventually(lambda: self.host.metrics()[TASKS % "queued"] == 2)
        self.callbacks.open.set()
        self.wait_for_tasks(done=5)
        self.assertEqual(self.callbacks.most_at_once, 3)

    def test_the_first_task_that_fails_ends_its_row_and_is_logged(self):
        host = self.serve(paths=("/a", "/500", "/b", "/c"))
        reply = self.ask()
        self.assertEqual(reply.status, 200)
        self.wait_for_tasks(done=1, failed=1, dropped=2)
        self.assertEqual(self.callbacks.paths(), ["/a", "/500"])
        line = host.log_line("a background task failed")
        self.assertIn(self.callbacks.url("/500") + ": answered 500", line)
        self.assertIn(reply.header("x-request-id"), line)

    def test_a_callback_that_nobody_answers_fails_in_time(self):
        host = self.serve(timeout_ms=50)
        self.callbacks.open.clear()
        self.ask()
        self.assertIn(self.callbacks.url("/a"), host.log_line("no whole answer within 50 ms"))
        self.wait_for_tasks(failed=1)

    def test_a_callback_to_nowhere_fails(self):
        host = self.serve(paths=("http://127.0.0.1:1/", "/a"))
        self.ask()
        self.assertIn("http://127.0.0.1:1/", host.log_line("cannot connect"))
        self.wait_for_tasks(failed=1, dropped=1)
        self.assertEqual(self.callbacks.received, [])

    def test_more_tasks_than_may_wait_are_refused_with_503(self):
        host = self.serve("--background-threads", "1", "--max-background", "2", paths=("/a", "/b"))
        self.callbacks.open.clear()
        self.assertEqual(self.ask().status, 200)
        eventually(lambda: host.metrics()[TASKS % "running"] == 1)
        reply = self.ask()  # one waits already; of these two the second is refused
        self.assertEqual(reply.status, 503)
        self.assertIn("--max-background", reply.json()["detail"])
        self.callbacks.open.set()
        self.wait_for_tasks(done=3)
        self.assertEqual(self.ask().status, 200)

    def test_slow_tasks_do_not_slow_requests(self):
        host = self.serve("--background-threads", "2")
        self.callbacks.open.clear()
        begun = time.monotonic()

        def ask():
            with host.client() as client:
                for _ in range(25):
                    reply = client.request("POST", "/classify_with_task", [SETOSA])
                    self.assertEqual((reply.status, reply.body), (200, b"[0]"))
        in_parallel([ask] * 4)
        self.assertLess(time.monotonic() - begun, 10 * SLOW)
        metrics = host.metrics()
        self.assertEqual((metrics[TASKS % "running"], metrics[TASKS % "queued"]), (2, 98))
        self.callbacks.open.set()
        self.wait_for_tasks(done=100)
        self.assertEqual(len(self.callbacks.received), 100)

    def test_a_host_that_stops_lets_tasks_end(self):
        host = self.serve("--background-threads", "1", paths=("/a", "/b"))
        self.callbacks.open.clear()
        self.ask()
        self.ask()
        eventually(lambda: self.callbacks.at_once == 1)
        host.process.terminate()
        host.log_line("stopping")
        self.callbacks.open.set()
        self.assertEqual(host.process.wait(20 * SLOW), 0)
        self.assertEqual(self.callbacks.paths(), ["/a", "/b"] * 2)

    def test_what_has_not_begun_when_the_time_to_stop_is_over_is_dropped_and_logged(self):
        host = self.serve("--background-threads", "1", "--timeout-graceful-shutdown", "0.1",
                          paths=("/a", "/b"), timeout_ms=1000)
        self.callbacks.open.clear()
        self.ask()
        eventually(lambda: self.callbacks.at_once == 1)
        host.process.terminate()
        self.assertEqual(host.process.wait(20 * SLOW), 0)
        host.log_line("background tasks were dropped")
        self.assertEqual(self.callbacks.paths(), ["/a"])


if __name__ == "__main__":
    main()
