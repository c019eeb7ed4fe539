"""Batches of all sorts: values by name, optional ones, lists, callers that fail by themselves, waiting, callers."""
import base64
import json
import time

from harness import PLUGINS, HostTest, in_parallel, main

BATCHES = str(PLUGINS / "libbatches.so")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Batches(HostTest):
    def setUp(self):
        self.host = self.start(plugin=BATCHES)

    def ok(self, path, body, headers=None):
        reply = self.host.post(path, body, headers)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def refused(self, status, path, body):
        reply = self.host.post(path, body)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json()["detail"]

    def count(self, method, outcome):
        return self.host.metrics()[
            f'bentohost_runner_calls_total{{method="{method}",result="{outcome}",runner="mix",service="batches"}}']

    # ---- values by name

    def test_outputs_are_members_by_name(self):
        self.assertEqual(self.ok("/score", {"features": [[1, 2], [3, 4]]}),
                         {"sums": [3.0, 7.0], "products": [2.0, 12.0]})
        self.assertEqual(self.ok("/score", {"weights": [[2, 2]], "features": [[1, 2]]}),
                         {"sums": [6.0], "products": [8.0]})
        self.assertEqual(self.ok("/score", {"features": [[1, 2]], "weights": None}),
                         {"sums": [3.0], "products": [2.0]})

    def test_each_kind_of_value_has_its_form_in_json(self):
        blob = bytes(range(256))
        reply = self.ok("/describe", {"words": "h\u00e9 \"q\"", "meta": {"a": [1, None]}, "points": [[1], [2.5]],
                                      "blob": base64.b64encode(blob).decode()})
        self.assertEqual(reply["summary"]["meta"], {"a": [1, None]})
        self.assertEqual(reply["summary"]["sum"], 3.5)
        self.assertEqual(reply["loud"], "h\u00e9 \"q\"!")
        self.assertEqual(base64.b64decode(reply["back"], validate=True), blob)
        reply = self.ok("/describe", {"words": ""})
        self.assertEqual((reply["summary"]["meta"], reply["summary"]["sum"], reply["back"]), (None, None, ""))

    def test_what_is_wrong_with_a_member_is_told_by_its_pointer(self):
        self.assertIn("/features: is missing; the inputs are features, weights (optional)",
                      self.refused(422, "/score", {}))
        self.assertIn("/colour: is not an input", self.refused(422, "/score", {"features": [], "colour": 1}))
        self.assertIn("/a~1b~0: is not an input", self.refused(422, "/score", {"a/b~": 1}))
        self.assertIn("/words: is there twice", self.refused(422, "/describe", '{"words": "a", "words": "b"}'))
        self.assertIn("/words: must be a string", self.refused(422, "/describe", {"words": 7}))
        self.assertIn("/blob: is not Base64", self.refused(422, "/describe", {"words": "", "blob": "a"}))
        self.assertIn("/features: expected an array of shape (n, 2)", self.refused(400, "/score", {"features": [1]}))
        self.assertIn("JSON object with the members features, weights (optional)",
                      self.refused(400, "/score", "[[1,2]]"))
        self.assertIn("line 1", self.refused(400, "/score", '{"features": '))
        self.assertIn("1 and 2 rows", self.refused(400, "/score", {"features": [[1, 2]], "weights": [[1, 2], [3, 4]]}))

    def test_handlers_take_and_give_values_by_name(self):
        for path in ("/pair", "/pair_async"):
            self.assertEqual(self.ok(path, {"left": {"x": 1}, "right": "r"}),
                             {"both": [2, {"x": 1}], "note": 'r "said"'})
            self.assertEqual(self.ok(path, {"left": None}), {"both": [2, None], "note": 'nothing "said"'})
            self.assertIn("/left: is missing", self.refused(422, path, {"right": "r"}))

    def test_handlers_call_runners_by_place_and_by_name(self):
        for path in ("/forward_places", "/forward_names"):
            names, summary = self.ok(path, "hello", {"Content-Type": "text/plain"})
            self.assertEqual(names, "summary loud back ")
            self.assertEqual(summary["meta"], 7)

    # ---- batches

    def together(self, path, bodies):
        """The replies to requests that are one batch, as far as they can be."""
        return in_parallel([lambda body=body: self.host.post(path, body) for body in bodies])

    def test_lists_of_any_values_travel_together(self):
        bodies = [{"words": f"w{i}", "points": [float(i)] * i, **({"meta": i} if i % 2 else {})} for i in range(4)]
        replies = [reply.json() for reply in self.together("/describe", bodies)]
        for i, reply in enumerate(replies):
            self.assertEqual(reply["loud"], f"w{i}!")
            self.assertEqual(reply["summary"]["sum"], float(i * i))
            self.assertEqual(reply["summary"]["meta"], i if i % 2 else None)
        self.assertEqual([reply["summary"]["callers"] for reply in replies], [4] * 4)

    def test_a_caller_fails_and_its_neighbours_do_not(self):
        for failing in ("fail", "fail fill"):
            before = self.count("describe", "ok"), self.count("describe", "error")
            replies = self.together("/describe", [{"words": word} for word in ("a", failing, "b", "fail too")])
            self.assertEqual([reply.status for reply in replies], [200, 409, 200, 409])
            self.assertEqual([replies[0].json()["loud"], replies[2].json()["loud"]], ["a!", "b!"])
            self.assertEqual([replies[1].json()["detail"], replies[3].json()["detail"]], [failing, "fail too"])
            self.assertEqual(self.count("describe", "ok") - before[0], 2)
            self.assertEqual(self.count("describe", "error") - before[1], 2)
        replies = self.together("/score", [{"features": rows} for rows in
                                           ([[1, 1]], [[-1, 1]], [[2, 2], [3, 3]])])
        self.assertEqual([reply.status for reply in replies], [200, 422, 200])
        self.assertEqual(replies[1].json()["detail"], "a feature is negative")
        self.assertEqual(replies[2].json(), {"sums": [4.0, 6.0], "products": [4.0, 9.0]})

    def test_a_result_that_does_not_fit_is_its_callers_alone(self):
        replies = self.together("/describe", [{"words": word} for word in ("a", "broken", "b", "c")])
        self.assertEqual([reply.status for reply in replies], [200, 500, 200, 200])
        self.host.log_line("output summary: runner mix.describe returned invalid JSON")

    def test_an_error_of_the_whole_batch_finds_out_whose_it_is(self):
        replies = self.together("/describe", [{"words": word} for word in ("a", "error", "b", "c")])
        self.assertEqual([reply.status for reply in replies], [200, 500, 200, 200])

    def test_a_split_call_fails_with_its_first_failed_part(self):
        rows = [[i, 1] for i in range(10)]
        self.assertEqual(self.ok("/score", {"features": rows, "weights": rows})["sums"],
                         [float(i * i + 1) for i in range(10)])
        rows[5] = [-1, 1]
        self.assertEqual(self.refused(422, "/score", {"features": rows}), "a feature is negative")

    def test_large_values_of_several_callers_go_through_arenas(self):
        blobs = [bytes([65 + i]) * (1 << 20) for i in range(4)]
        replies = self.together("/describe", [
            {"words": "x", "blob": base64.b64encode(blob).decode(), "points": [float(i)] * 60000}
            for i, blob in enumerate(blobs)])
        for i, (reply, blob) in enumerate(zip(replies, blobs)):
            self.assertEqual(reply.status, 200, reply.body[:200])
            self.assertEqual(base64.b64decode(reply.json()["back"]), blob)
            self.assertEqual(reply.json()["summary"]["sum"], i * 60000.0)
        self.assertGreater(self.host.metrics()[
            'bentohost_runner_arena_bytes{runner="mix",service="batches"}'], 1 << 20)

    # ---- waiting, callers

    def test_an_idle_worker_waits_for_a_fuller_batch_but_not_when_it_is_full(self):
        text = {"Content-Type": "text/plain"}
        began = time.monotonic()
        replies = in_parallel([lambda: self.host.post("/gather", "x", text)] * 3)
        full = time.monotonic() - began
        self.assertEqual([reply.json() for reply in replies], [3, 3, 3])
        began = time.monotonic()
        self.assertEqual(self.ok("/gather", "x", text), 1)
        alone = time.monotonic() - began
        self.assertGreaterEqual(alone, 1.0)
        self.assertLess(full, 1.0)

    def test_a_runner_knows_its_callers(self):
        told = self.ok("/whom", "x", {"Content-Type": "text/plain", "X-Request-Id": "the-caller",
                                      "traceparent": TRACE})
        self.assertEqual(told["request_id"], "the-caller")
        self.assertEqual(told["traceparent"], TRACE)
        self.assertGreater(told["milliseconds_left"], 1000)
        self.assertLessEqual(told["milliseconds_left"], 60000)
        self.assertEqual((told["cancelled"], told["beyond"]), (0, None))
        self.assertIn("request_id=the-caller", self.host.log_line("whom is asked"))
        told = self.ok("/whom", "x", {"Content-Type": "text/plain", "traceparent": "00-nonsense"})
        self.assertEqual(told["traceparent"], "")
        self.assertEqual(len(told["request_id"]) > 0, True)


if __name__ == "__main__":
    main()
