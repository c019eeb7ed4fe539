"""Streaming runner methods, engines, lists and several values, as the SDK has them, in the real host."""
import json
import time

from async_case import AsyncTest
from harness import PLUGINS, SLOW, eventually, in_parallel, main

GENERATING = str(PLUGINS / "libgenerating.so")


def prompt(text, **more):
    return json.dumps({"text": text, **more})


def events(*texts):
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in (*texts, "[DONE]"))


def tokens(text, number=3):
    return [f"{text}{i}" for i in range(number)]


class GeneratingTest(AsyncTest):
    PLUGIN = GENERATING

    def setUp(self):
        self.serve()

    def assert_answers(self, path, body, answer, headers=None):
        reply = self.host.post(path, body, headers)
        self.assertEqual((reply.status, reply.body), (200, answer.encode() if isinstance(answer, str) else answer),
                         f"{path} {body}")
        return reply

    def assert_fails(self, path, body, status, words=None):
        reply = self.host.post(path, body)
        self.assertEqual(reply.status, status, f"{path} {body}: {reply.body}")
        if words:
            self.assertIn(words, reply.json()["detail"])

    def ask(self, path, body):
        """A connection on which the request has been sent, and the first of the answer has come."""
        connection = self.send(f"POST {path} HTTP/1.1\nHost: x\nContent-Length: {len(body)}", body.encode())
        received = b""
        while b"data: " not in received:
            piece = connection.recv(4096)
            self.assertTrue(piece, received)
            received += piece
        return connection


class Streams(GeneratingTest):
    def test_results_go_out_as_events_or_as_lines(self):
        reply = self.assert_answers("/tokens", prompt("a"), events(*(f'{{"text":"{t}"}}' for t in tokens("a"))))
        self.assertEqual(reply.header("content-type"), "text/event-stream")
        reply = self.assert_answers("/token_lines", prompt("a"),
                                    "".join(f'{{"text":"{t}"}}\n' for t in tokens("a")))
        self.assertEqual(reply.header("content-type"), "application/x-ndjson")
        self.assert_answers("/spell", "abc", events("a", "b", "c"))
        self.assert_answers("/spell", "", events())
        self.assert_answers("/numbers", "3", "0\n1\n2\n")
        self.assert_answers("/tokens", prompt("none", tokens=0), events())

    def test_handlers_read_them_with_and_without_a_thread(self):
        self.assert_answers("/chat", prompt("b"), events(*tokens("b")))
        self.assert_answers("/whole", prompt("c", tokens=500), "".join(t + " " for t in tokens("c", 500)))
        self.assert_answers("/both", prompt("d"), "".join(f"{t}/{t} " for t in tokens("d")))
        self.assert_answers("/sum", "100000", "4999950000")
        self.assert_answers("/sum_on_thread", "100000", "4999950000")

    def test_calls_share_the_steps_of_an_engine(self):
        texts = [f"p{i}_" for i in range(40)]  # more than 32, which are in flight at once
        replies = in_parallel([lambda t=t: self.host.post("/whole", prompt(t, tokens=200)) for t in texts])
        for text, reply in zip(texts, replies):
            self.assertEqual(reply.body.decode().split(), tokens(text, 200))

    def test_errors_are_answered_or_end_the_events(self):
        for path in ("/tokens", "/token_lines", "/chat", "/whole"):
            self.assert_fails(path, prompt(""), 400, "an empty prompt")
            self.assert_fails(path, prompt("throw"), 503, "no memory")
        self.assert_fails("/tokens", prompt("a", tokens=-1), 422, "/tokens: must be at least 0")
        self.assert_fails("/spell", "!", 400, "no shouting")
        body = self.host.post("/spell", "a!").body
        self.assertTrue(body.startswith(b"data: a\n\nevent: error\ndata: {"), body)
        self.assertIn(b"no shouting", body)
        self.assertNotIn(b"[DONE]", body)

    def test_a_crash_fails_what_was_in_the_worker_and_nothing_after(self):
        self.assert_fails("/whole", prompt("crash"), 503)
        self.host.log_line("runner serves again")
        self.assert_answers("/whole", prompt("e"), "e0 e1 e2 ")


class Cancels(GeneratingTest):
    def test_a_client_that_leaves_stops_the_model(self):
        for path, text in (("/tokens", "direct"), ("/chat", "coroutine")):
            self.leave(self.ask(path, prompt(text, tokens=2_000_000_000)))
            self.host.log_line("cancelled: " + text)
        self.leave(self.ask("/forever", "x"))
        self.host.log_line("the end of forever")
        self.assert_answers("/spell", "ok", events("o", "k"))  # by the same worker
        self.assertNotIn("[error]", self.host.stderr())

    def test_a_stream_that_is_dropped_stops_the_model(self):
        self.assert_answers("/first", prompt("dropped", tokens=2_000_000_000), "dropped0")
        self.host.log_line("cancelled: dropped")

    def test_a_reader_that_reads_nothing_holds_the_model_up(self):
        connection = self.ask("/tokens", prompt("slow", tokens=2_000_000_000))
        other = self.host.post("/whole", prompt("other", tokens=1000))
        self.assertEqual(other.body.decode().split(), tokens("other", 1000))
        self.leave(connection)
        self.host.log_line("cancelled: slow")

    def test_the_stop_ends_streams(self):
        connection = self.ask("/forever", "x")
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0, self.host.stderr())
        self.assertLess(time.monotonic() - began, 10 * SLOW)
        connection.close()


class Threads(GeneratingTest):
    def test_threads_of_the_plugin_emit_and_finish(self):
        self.assert_answers("/served", "xyz", events("x", "y", "z"))
        replies = in_parallel([lambda i=i: self.host.post("/served", str(i) * 50) for i in range(8)])
        for i, reply in enumerate(replies):
            self.assertEqual(reply.body, events(*str(i) * 50))

    def test_a_call_that_is_dropped_has_failed(self):
        self.assert_fails("/served", "drop", 500)
        self.host.log_line("the engine has dropped the call without finishing it")

    def test_one_result_may_wait_for_another_call(self):
        self.assert_answers("/pair_of_one", "q", "q1 before q2, q2 after q1")

    def test_a_call_that_is_kept_does_not_hold_up_the_stop(self):
        connection = self.send("POST /pair HTTP/1.1\nHost: x\nContent-Length: 1", b"a")
        self.assert_answers("/served", "x", events("x"))
        self.leave(connection)
        self.assertEqual(self.host.stop(), 0, self.host.stderr())


class Lists(GeneratingTest):
    def test_values_of_any_kind_are_passed_side_by_side(self):
        self.assert_answers("/upper", "abc", "ABC of 1")
        self.assert_answers("/grow", '{"title":"t","pages":2}', '{"title":"t","pages":3}')
        self.assert_answers("/sums", "[[1,2],[3,4]]", "[10.0]")

    def test_calls_are_joined_and_a_bad_one_fails_alone(self):
        def joined():
            texts = ["a", "b", "", "c"]
            replies = in_parallel([lambda t=t: self.host.post("/upper", t) for t in texts])
            self.assertEqual([r.status for r in replies], [200, 200, 400, 200])
            self.assertEqual(replies[2].json()["detail"], "an empty text")
            for text, reply in zip(texts, replies):
                if text:
                    self.assertTrue(reply.body.decode().startswith(text.upper() + " of "))
            return any(reply.body.endswith(b" of 4") for reply in replies)
        eventually(joined, what="a batch of all four")  # which share it by max_batch_wait_us

    def test_a_struct_that_does_not_fit_fails_alone(self):
        self.assert_fails("/grow", '{"title":"t","pages":0}', 422, "/pages: must be at least 1")

    def test_rows_of_one_caller_fail_alone(self):
        replies = in_parallel([lambda b=b: self.host.post("/halves", b) for b in ("[2,4]", "[-2]", "[8]")])
        self.assertEqual([r.status for r in replies], [200, 400, 200])
        self.assertEqual((replies[0].body, replies[2].body), (b"[1.0,2.0]", b"[4.0]"))
        self.assertEqual(replies[1].json()["detail"], "a negative number")

    def test_a_method_knows_its_caller(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        reply = self.host.post("/who", "x", {"traceparent": trace})
        who, told, due = reply.body.decode().split()
        self.assertEqual((who, due), (reply.header("x-request-id"), "due"))
        self.assertEqual(told.split("-")[1], trace.split("-")[1])


class Values(GeneratingTest):
    INPUT = '{"ids":[[1,2],[3,4]],"mask":[[1,1],[0,1]],"language":"en"}'
    OUTPUT = {"scores": [3.0, 4.0], "language": "en", "remarks": {"by": "score"}}

    def test_several_values_are_the_members_of_an_object(self):
        for path in ("/score", "/scored", "/scored_later"):
            self.assertEqual(self.host.post(path, self.INPUT).json(), self.OUTPUT, path)
        self.assert_answers("/add", '{"a":[1,2],"b":[10,20]}', "[11.0,22.0]")

    def test_an_optional_one_may_be_left_out(self):
        for path in ("/score", "/scored", "/scored_later"):
            reply = self.host.post(path, '{"ids":[[1,2]],"mask":[[1,1]]}')
            self.assertEqual(reply.json()["language"], "none", path)

    def test_what_is_missing_or_of_another_shape_is_refused(self):
        for path in ("/score", "/scored"):
            self.assertIn(self.host.post(path, '{"ids":[[1,2]]}').status, (400, 422))
            self.assertEqual(self.host.post(path, '{"ids":[[1,2]],"mask":[[1,1,1]]}').status, 400)


if __name__ == "__main__":
    main()
