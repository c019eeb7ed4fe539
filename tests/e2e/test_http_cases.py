"""Raw HTTP/1.1 against the table of http_cases: in one piece, byte by byte, and behind another
request; over TCP, and over TLS where this build has it."""
import dataclasses
import json
import ssl
import subprocess
import unittest

from harness import EXE, HostTest, main
from http_cases import ALL, MAX_BODY, Verdict
from http_wire import connect, converse, drip, run_all

GOOD = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
# As many as are sent in a fraction of the time that a server lingers after a refusal.
DRIPS = 64
OPTIONS = subprocess.run([EXE, "--help"], capture_output=True, text=True, check=True).stdout


def is_error(case):
    last = case.verdict.statuses[-1:]
    return case.verdict.goes_on is False and bool(last) and last != (200,) and not case.later


def behind_a_good_one(case):
    return dataclasses.replace(case, promise=case.promise + ", behind a good request",
                               sends=GOOD + case.sends,
                               verdict=Verdict((200, *case.verdict.statuses), False),
                               bodiless=tuple(index + 1 for index in case.bodiless))


class OverTcp(HostTest):
    cases = ALL
    arguments = ()

    def setUp(self):
        self.host = self.start("--max-body", str(MAX_BODY), "--access-log", "off", *self.arguments)

    def connect(self):
        return connect(self.host.port)

    def test_every_case_gets_its_verdict(self):
        self.judge(run_all(self.cases, self.exchange))

    def test_every_case_gets_its_verdict_when_it_comes_byte_by_byte(self):
        for i in range(0, len(self.cases), DRIPS):
            cases = self.cases[i:i + DRIPS]
            connections = [self.connect() for _ in cases]
            drip(connections, [case.sends for case in cases])
            dripped = dict(zip(cases, connections))
            self.judge(run_all(cases, lambda case: self.finish(dripped[case], case, b"")))

    def test_every_error_behind_a_good_request_comes_after_its_answer(self):
        errors = [behind_a_good_one(case) for case in self.cases if is_error(case)]
        self.judge(run_all(errors, self.exchange))

    def exchange(self, case):
        return self.finish(self.connect(), case, case.sends)

    def finish(self, connection, case, unsent):
        with connection:
            outcome = converse(connection, case, case.verdict, unsent)
            return outcome, self.is_reset(connection, case, outcome)

    def judge(self, results):
        for case, (outcome, is_reset) in results:
            with self.subTest(case.promise, rfc=case.rfc, sends=case.sends[:300]):
                self.assertTrue(outcome.is_as(case.verdict),
                                f"expected: {case.verdict}; seen: {outcome}")
                self.assertFalse(is_reset, "the client could have lost the answer to a reset")
                self.check_answers(case, outcome)

    def is_reset(self, connection, case, outcome):
        """Whether the server is gone already, so that whatever the client still sends is answered
        by a reset: it must linger after an error."""
        was_refused = outcome.answers and outcome.answers[-1].status >= 400
        if case.half_close or outcome.ending != "closes" or not was_refused:
            return False
        try:
            connection.sendall(b"more")
            return connection.recv(1) != b""
        except ConnectionError:
            return True

    def check_answers(self, case, outcome):
        bodies = b"".join(answer.body for answer in outcome.answers)
        self.assertIn(case.shows.encode("latin-1"), bodies)
        heads = "".join(f"\r\n{name}: {value}" for answer in outcome.answers
                        for name, value in answer.headers)
        if case.hides:
            self.assertNotIn(case.hides.encode("latin-1").lower(), bodies.lower())
            self.assertNotIn(case.hides.lower(), heads)
        for index, answer in enumerate(outcome.answers):
            if answer.status >= 200:
                self.assertTrue(answer.header("date"))
            if answer.status < 400:
                continue
            self.assertEqual(answer.header("content-type"), "application/problem+json")
            if index not in case.bodiless:
                self.assertEqual(json.loads(answer.body)["status"], answer.status)
        if not outcome.answers:
            return
        last = outcome.answers[-1]
        if outcome.ending == "closes" and not case.half_close:
            self.assertEqual(last.header("connection"), "close")
        elif outcome.ending == "goes on":
            self.assertNotEqual(last.header("connection"), "close")
        if case.header:
            name, value = case.header
            self.assertIn(value, last.header(name))


@unittest.skipUnless("ssl-certfile" in OPTIONS, "this build has no TLS")
class OverTls(OverTcp):
    # Half a connection cannot be closed here: the end of TLS is one of both directions.
    cases = [case for case in ALL if not case.half_close]

    def setUp(self):
        folder = self.folder()
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        self.context = ssl.create_default_context(cafile=certificate)
        self.context.check_hostname = False
        self.arguments = ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key))
        super().setUp()

    def connect(self):
        # Without the peer's close_notify an end might be an attacker's (RFC 8446 6.1).
        return self.context.wrap_socket(super().connect(), suppress_ragged_eofs=False)

    def is_reset(self, connection, case, outcome):
        return False  # told by OverTcp: TLS ends the same connections


if __name__ == "__main__":
    main()
