"""Runner methods that are engines: streams, calls side by side, cancelled calls, their workers' deaths; direct APIs that
stream. A prompt of the plugin is WORDS SIZE MILLISECONDS OPTION AT."""
import json
import os
import re
import shutil
import signal
import socket
import time

from harness import PLUGINS, SLOW, HostTest, eventually, in_parallel, is_alive, main
from test_streams import GROWTH, MIB, Watch

ENGINES = str(PLUGINS / "libengines.so")
FORMS = ("begins", "steps", "threads")
LONG = "1000000 10 5"  # it does not end by itself


class EngineTest(HostTest):
    def serve(self, *arguments, **options):
        self.host = self.start(*arguments, plugin=options.pop("plugin", ENGINES), **options)
        return self.host

    def ask(self, path, prompt, method="POST"):
        """A connection on which the request has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall((f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                            f"Content-Length: {len(prompt)}\r\n\r\n{prompt}").encode())
        return connection

    def begin(self, path, prompt):
        """The same, and the first word has come."""
        connection = self.ask(path, prompt)
        self.read_until(connection, b"data: 0 ")
        return connection

    @staticmethod
    def read_until(connection, words):
        """What has come up to these words; a long answer is searched once."""
        received = bytearray()
        while received.find(words, max(0, len(received) - 65536 - len(words))) < 0:
            piece = connection.recv(65536)
            if not piece:
                raise AssertionError(f"{words} is not in the {len(received)} bytes that end with {received[-300:]}")
            received += piece
        return bytes(received)

    @staticmethod
    def leave(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    def words(self, path, prompt):
        """The data of the events of a whole answer, without the last."""
        answer = self.host.post(path, prompt)
        self.assertEqual(answer.status, 200, answer)
        *events, last = answer.body.decode().strip().split("\n\n")
        self.assertEqual(last, "data: [DONE]", answer)
        return [event.removeprefix("data: ") for event in events]

    def pid(self, runner):
        return int(self.host.post(f"/{runner}_pid", "").body.split()[0])

    def metric(self, name, **labels):
        total = 0
        for sample, value in self.host.metrics().items():
            if re.split("[{ ]", sample)[0] == name and all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total += float(value)
        return total

    def wait_metric(self, value, name, **labels):
        eventually(lambda: self.metric(name, **labels) == value, what=f"{name} {labels} {value}")


class Streams(EngineTest):
    def setUp(self):
        self.serve()

    def test_each_form_streams_events(self):
        for form in FORMS:
            with self.subTest(form):
                self.assertEqual(self.words(f"/{form}_words", "3 4 0"), ["0 ..", "1 ..", "2 .."])
                self.assertEqual(self.words(f"/{form}_words", "0"), [])
                self.assertEqual(self.words(f"/{form}_words", "1 1 0 last 1"), ["0 ", "last"])
                self.assertEqual(len(self.words(f"/{form}_words", "5000 30")), 5000)
                self.wait_metric(1 + 3 + 5000, "bentohost_runner_results_total", runner=form, method="words")
        answer = self.host.post("/steps_words", "1")
        self.assertEqual((answer.header("content-type"), answer.header("cache-control")),
                         ("text/event-stream", "no-store"))

    def test_lines(self):
        answer = self.host.post("/steps_lines", "2 4")
        self.assertEqual((answer.header("content-type"), answer.body), ("application/x-ndjson", b'"0 .."\n"1 .."\n'))
        self.assertEqual(self.host.post("/steps_lines", "0").body, b"")

    def test_words_come_as_they_are_made(self):
        for form in FORMS:
            connection = self.begin(f"/{form}_words", LONG)
            self.read_until(connection, b"data: 5 ")
            self.leave(connection)

    def test_handlers_take_results_one_by_one(self):
        for path in ("/collect", "/collect_async"):
            self.assertEqual(self.host.post(path, "2000 500").body, b"2000 1000000", path)
            self.assertEqual(self.host.post(path, "0").body, b"0 0", path)
            self.assertEqual(self.host.post(path, "5 4 0 fail 2").status, 400, path)
        self.assertEqual(self.host.post("/collect", "1000000 10 1 leave 7").body, b"7 70")
        self.wait_metric(1, "bentohost_runner_cancels_total", runner="threads")

    def test_errors_before_the_first_result_are_answers_as_ever(self):
        for form in FORMS:
            self.assertEqual(self.host.post(f"/{form}_words", "5 1 0 fail 0").status, 400, form)
        self.assertEqual(self.host.post("/steps_words", "5 1 0 refuse").status, 404)
        self.assertEqual(self.host.post("/steps_words", b"\xff").status, 400)
        answer = self.host.post("/begins_words", "5 1 0 bad 0")
        self.assertEqual(answer.status, 200, "the plugin emits another word after the bad one")

    def test_errors_after_the_first_result_are_the_last_event(self):
        for form in FORMS:
            with self.subTest(form):
                answer = self.host.post(f"/{form}_words", "5 1 0 fail 2")
                *events, last = answer.body.decode().strip().split("\n\n")
                self.assertEqual(events, ["data: 0 ", "data: 1 "])
                kind, data = last.split("\n")
                self.assertEqual(kind, "event: error")
                problem = json.loads(data.removeprefix("data: "))
                self.assertEqual((problem["status"], problem["detail"]), (400, "no such word"))

    def test_a_stream_of_lines_with_an_error_is_cut(self):
        received = self.host_reads_all(self.ask("/steps_lines", "5 1 0 fail 2"))
        self.assertIn(b'"1 "\n', received)
        self.assertNotIn(b"\r\n0\r\n\r\n", received, "the end is missing")

    @staticmethod
    def host_reads_all(connection):
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        return received

    def test_results_are_held_against_the_declaration(self):
        for form in FORMS:
            answer = self.host.post(f"/{form}_words", "5 1 0 bad 2")
            self.assertIn(b'event: error\ndata: {"type":"about:blank","title":"Internal Server Error"', answer.body)
            self.host.log_line(f"{form}.words returned text that is not UTF-8")

    def test_a_failed_step_fails_all_that_were_in_it(self):
        other = self.begin("/steps_words", LONG)
        self.assertEqual(self.host.post("/steps_words", "5 1 0 step 0").status, 503)
        self.assertIn(b"the step failed", self.read_until(other, b"event: error"))
        self.assertEqual(self.words("/steps_words", "1"), ["0 "], "the worker lives on")

    def test_head(self):
        self.assertEqual(self.host.request("HEAD", "/steps_words").status, 405)


class SideBySide(EngineTest):
    def test_calls_interleave_up_to_max_concurrent(self):
        self.serve()
        for form in ("steps", "threads"):
            with self.subTest(form):
                four = [self.begin(f"/{form}_words", LONG) for _ in range(4)]
                for connection in four:
                    self.read_until(connection, b"data: 3")
                fifth = self.ask(f"/{form}_words", "1")
                self.wait_metric(1, "bentohost_queue_depth", runner=form, method="words")
                self.leave(four.pop())
                self.read_until(fifth, b"[DONE]")
                for connection in four:
                    self.leave(connection)

    def test_the_least_loaded_worker_is_taken(self):
        self.serve("--runner-workers", "steps=2")
        streams = [self.begin("/steps_words", LONG) for _ in range(8)]
        self.wait_metric(8, "bentohost_http_streams_open")
        for connection in streams:
            self.leave(connection)
        self.wait_metric(0, "bentohost_http_streams_open")

    def test_another_method_has_its_turn_although_calls_keep_coming(self):
        self.serve()
        streams = [self.begin("/steps_words", "100 4 5") for _ in range(2)]
        plain = self.ask("/steps_pid", "")
        self.wait_metric(1, "bentohost_queue_depth", runner="steps", method="pid")
        late = self.ask("/steps_words", "1")
        self.read_until(streams[0], b"[DONE]")
        self.read_until(plain, b"200 OK")
        self.read_until(late, b"[DONE]")


class Cancelled(EngineTest):
    def assert_free_soon(self, form):
        began = time.monotonic()
        self.host.post(f"/{form}_pid", "")
        self.assertLess(time.monotonic() - began, 0.1 * SLOW, form)

    def test_a_client_that_leaves_frees_the_worker_within_100_ms(self):
        self.serve()
        for form in FORMS:
            pid = self.pid(form)
            for _ in range(5):
                self.leave(self.begin(f"/{form}_words", LONG))
                self.assert_free_soon(form)
            self.assertEqual(self.pid(form), pid)
        self.wait_metric(5, "bentohost_runner_cancels_total", runner="begins", method="words")
        cancels = int(self.host.post("/threads_pid", "").body.split()[1])
        self.assertEqual(cancels, 5, "the plugin was told of each, once")

    def test_a_plain_method_sees_it_too(self):
        self.serve()
        pid = self.pid("begins")
        for size in (1, 60_000, 1_000_000):
            connection = self.ask("/begins_spin", "x" * size)
            eventually(lambda: self.metric("bentohost_queue_wait_seconds_count", runner="begins", method="spin") > 0,
                       what="a call that has begun")
            self.leave(connection)
            self.assert_free_soon("begins")
        self.assertEqual(self.pid("begins"), pid)

    def test_a_plain_method_is_told_of_its_deadline(self):
        self.serve("--timeout", "0.3")
        pid = self.pid("begins")
        self.assertEqual(self.host.post("/begins_spin", "").status, 504)
        self.assertEqual(self.pid("begins"), pid, "it was not killed")

    def test_the_first_result_has_the_time_of_a_request_and_the_others_max_latency(self):
        self.serve("--timeout", "0.5")
        for form in FORMS:
            with self.subTest(form):
                self.assertEqual(self.host.post(f"/{form}_words", "5 1 0 hang 0").status, 504)
        for form in ("steps", "threads"):
            answer = self.host.post(f"/{form}_prompt_words", "5 1 0 hang 2")
            self.assertIn(b"within its max_latency_ms", answer.body)
            self.assertEqual(len(self.words(f"/{form}_words", "30 1 30")), 30, "longer than the timeout")

    def test_a_thousand_abandoned_streams_leave_nothing(self):
        self.serve("--timeout", "20")
        self.host.post("/threads_words", "10")
        children = sorted(self.host.serving_children())
        before = len(os.listdir(f"/proc/{self.host.serving_pid}/fd"))

        def abandon():
            for _ in range(125):
                self.leave(self.begin("/steps_words", LONG))
        in_parallel([abandon] * 8)
        self.wait_metric(0, "bentohost_http_streams_open")
        self.wait_metric(1, "bentohost_http_requests_in_flight")  # this one
        self.assertEqual(len(self.words("/steps_words", "10")), 10)
        self.assertEqual(sorted(self.host.serving_children()), children)
        eventually(lambda: len(os.listdir(f"/proc/{self.host.serving_pid}/fd")) <= before + 1,
                   what="no more descriptors than before")
        self.wait_metric(1000, "bentohost_runner_cancels_total", runner="steps", method="words")


class Deaths(EngineTest):
    def test_a_crash_fails_all_in_flight(self):
        self.serve()
        begun = [self.begin("/threads_words", LONG) for _ in range(3)]
        os.kill(self.pid_of("threads"), signal.SIGKILL)
        for connection in begun:
            self.assertIn(b"event: error", self.read_until(connection, b"killed by SIGKILL"))
        self.assertEqual(self.words("/threads_words", "1"), ["0 "])

    def pid_of(self, runner):
        return self.host.runners()[runner][0]

    def test_before_a_result_idempotent_calls_run_again_and_others_fail(self):
        self.serve()
        for form in FORMS:
            with self.subTest(form):
                mark = self.folder() / "mark"
                self.assertEqual(len(self.words(f"/{form}_safe_words", f"5 1 0 {mark} 0")), 5)
                other = self.folder() / "mark"
                self.assertEqual(self.host.post(f"/{form}_words", f"5 1 0 {other} 0").status, 503)
                # It has emitted: the client would get the same words twice.
                third = self.folder() / "mark"
                self.assertIn(b"event: error", self.host.post(f"/{form}_safe_words", f"5 1 0 {third} 2").body)
                # Not a third time.
                self.assertEqual(self.host.post(f"/{form}_safe_words", "5 1 0 crash 0").status, 503)

    def test_a_worker_that_hangs_is_killed_when_it_is_silent(self):
        self.serve("--timeout", "0.5")
        pid = self.pid_of("begins")
        self.assertEqual(self.host.post("/begins_words", "5 1 0 deaf 0").status, 504)
        eventually(lambda: not is_alive(pid), what="the end of the worker")
        self.host.log_line("it did not end a call that it was told to cancel, and sent nothing")
        self.assertEqual(self.words("/begins_words", "1"), ["0 "])

    def test_and_not_while_it_serves_others(self):
        self.serve("--timeout", "0.5")
        pid = self.pid_of("steps")
        lively = self.begin("/steps_words", LONG)
        self.assertEqual(self.host.post("/steps_words", "5 1 0 deaf 0").status, 504)
        until = time.monotonic() + 3
        while time.monotonic() < until:  # longer than the worker would have
            self.read_until(lively, b"data: ")
        self.assertTrue(is_alive(pid))
        self.leave(lively)


class Windows(EngineTest):
    def test_a_slow_reader_of_100_mb_bounds_memory(self):
        self.serve("--timeout", "60")
        for form in FORMS:
            with self.subTest(form):
                self.words(f"/{form}_words", "1000 10000")
                with Watch(self.host) as watch:
                    connection = self.begin(f"/{form}_words", "10000 10000")
                    most = self.emitted(form)
                    self.assertLess(most, 1000, "it stands still, and has made few of 10,000")
                    received = 0
                    while True:
                        piece = connection.recv(MIB)
                        received += len(piece)
                        if b"[DONE]" in piece:
                            break
                self.assertGreater(received, 99_000_000)
                self.assertLess(watch.growth(), GROWTH)

    def emitted(self, form):
        """The results so far, once no more come."""
        before = self.metric("bentohost_runner_results_total", runner=form) - 1000
        while True:
            after = self.metric("bentohost_runner_results_total", runner=form) - 1000
            if after == before:
                return after
            before = after

    def test_a_reader_that_stands_still_holds_up_nobody_else(self):
        self.serve()
        for form in ("steps", "threads"):
            slow = self.ask(f"/{form}_words", "10000 10000")
            self.wait_stopped(form)
            self.assertEqual(len(self.words(f"/{form}_words", "200 5")), 200, form)
            self.leave(slow)
            self.wait_metric(0, "bentohost_http_streams_open")

    def wait_stopped(self, form):
        counts = [-1]

        def is_still():
            counts.append(self.metric("bentohost_runner_results_total", runner=form))
            return counts[-1] == counts[-2] > 0
        eventually(is_still, what="a full window")

    def test_a_slow_reader_is_not_late(self):
        self.serve("--timeout", "0.5")
        slow = self.ask("/threads_prompt_words", "2000 10000")  # max_latency_ms is 300
        self.wait_stopped("threads")
        until = time.monotonic() + 1
        while time.monotonic() < until:
            self.wait_stopped("threads")
        self.read_until(slow, b"[DONE]")


class MaxStreams(EngineTest):
    def test_streams_have_a_limit_of_their_own(self):
        self.serve("--max-streams", "3", "--max-in-flight", "2")
        streams = [self.begin("/threads_words", LONG) for _ in range(2)]
        ticks = self.ask("/ticks", "")
        self.read_until(ticks, b"tick")
        self.wait_metric(3, "bentohost_http_streams_open")
        self.wait_metric(1, "bentohost_http_requests_in_flight")  # this one
        for path in ("/threads_words", "/ticks"):
            answer = self.host.post(path, "1")
            self.assertEqual((answer.status, answer.header("retry-after")), (503, "1"), path)
            self.assertIn(b"3 streams are open (--max-streams)", answer.body)
        self.assertEqual(self.host.post("/begins_pid", "").status, 200, "they do not count as in flight")
        self.leave(ticks)
        self.wait_metric(2, "bentohost_http_streams_open")
        self.assertEqual(self.words("/threads_words", "1"), ["0 "])
        for connection in streams:
            self.leave(connection)
        self.wait_metric(0, "bentohost_http_streams_open")


class Ends(EngineTest):
    def test_streams_go_on_in_a_generation_that_is_replaced(self):
        plugin = self.folder() / "libengines.so"
        shutil.copy(ENGINES, plugin)
        self.serve("--timeout", "20", plugin=str(plugin))
        before = {form: self.pid(form) for form in FORMS}
        begun = {form: self.begin(f"/{form}_words", LONG) for form in FORMS}
        other = self.folder() / "libengines.so"
        other.write_bytes(plugin.read_bytes() + b"\0")
        other.replace(plugin)
        self.host.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.metric("bentohost_generation") == 2, what="the next generation")
        for form in FORMS:
            self.assertNotEqual(self.pid(form), before[form])
            self.read_until(begun[form], b"data: ")
            self.assertTrue(is_alive(before[form]))
            self.leave(begun[form])
        eventually(lambda: not any(is_alive(pid) for pid in before.values()), what="the end of the old workers")

    def test_a_stop_ends_streams_at_once(self):
        self.serve()
        begun = [self.begin(f"/{form}_words", LONG) for form in FORMS]
        began = time.monotonic()
        self.host.process.send_signal(signal.SIGTERM)
        for connection in begun:
            self.read_until(connection, b"shutting down")
        self.host.process.wait(timeout=30)
        self.assertLess(time.monotonic() - began, 5 * SLOW)


if __name__ == "__main__":
    main()
