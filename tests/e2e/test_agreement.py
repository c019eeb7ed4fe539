"""bento::testing::Host behaves as bentohost does: one table of cases is run against both."""
import json

from harness import PLUGINS, SOURCE, HostTest, main

CASES = json.loads((SOURCE / "tests" / "agreement" / "cases.json").read_text())


class Agreement(HostTest):
    def test_each_case_is_answered_as_the_table_says(self):
        host = self.start("--debug", plugin=str(PLUGINS / "libcontract.so"))
        for case in CASES:
            with self.subTest(case["name"]):
                self.check(host, case)

    def check(self, host, case):
        body = bytes.fromhex(case["hex"]) if "hex" in case else case.get("body", "").encode()
        reply = host.request(case.get("method", "POST"), case["target"], body, case.get("headers", {}))
        self.assertEqual(reply.status, case["status"], reply)
        if "says" in case:
            self.assertEqual(reply.body.decode(), case["says"])
        if "type" in case:
            self.assertEqual(reply.header("content-type"), case["type"])
        for name, value in case.get("has", {}).items():
            self.assertEqual(reply.header(name), value)
        if reply.status >= 400:
            problem = reply.json()
            self.assertEqual(problem["status"], case["status"])
            self.assertEqual(problem["title"], case.get("title", problem["title"]))
            self.assertEqual(problem["detail"], case.get("detail", problem["detail"]))
            self.assertEqual(problem["request_id"], reply.header("x-request-id"))


if __name__ == "__main__":
    main()
