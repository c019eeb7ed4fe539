"""Smuggling: what an app gets of doubtful requests that a mount passes on. The cases of tests/http and a matrix of
framings are sent to a mount whose app records what it gets. The app may see a prefix of the requests that a strict
reading of the client's bytes has, each once, in canonical form, and nothing else."""
import hashlib
import itertools
import json
import random
import socket
import subprocess
import sys
import unittest
from dataclasses import replace
from pathlib import Path

from framing_case import FramingCase, Sent, cut, is_for_app, pieces_apart, read_all, reading
from harness import LAB, SLOW, SOURCE, eventually, main
from http_wire import THREADS, Answer, Wire, as_bytes, run_all
from mount_case import APPS, PYTHON, MountCase

CASES = SOURCE / "tests" / "http"
sys.path.insert(0, str(CASES))
from case_file import CLOSES, OPEN, Expected, read  # noqa: E402
from exchange import converse  # noqa: E402

FILES = ("request_line", "headers", "hosts", "targets", "paths", "methods", "content_length", "transfer_encoding",
         "chunking", "trailers", "codings", "connection", "expectations", "limits")
OPTIONS = "--max-body 100k"  # those of the files
BEHIND = b"GET /behind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def http_1_0(data, *, keep=False):
    return data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n" + b"Connection: keep-alive\r\n" * keep)


class Framing(FramingCase):
    """The app is mounted at / and has the host for itself."""
    plugin = None
    before, is_before_for_app = b"GET /before HTTP/1.1\r\nHost: x\r\n\r\n", True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = None
        cls.cases = [case for name in FILES for case in read(CASES / f"{name}.http").cases
                     if case.options == OPTIONS and not case.port]

    def setUp(self):
        if type(self).host is None:
            type(self).host = self.mount(f"/=http:{PYTHON} recorder.py {{socket}}", plugin=self.plugin,
                                         more=("--access-log", "off", *OPTIONS.split()))
            type(self).addClassCleanup(super()._stop, self.host)
        super().setUp()

    def _stop(self, host):
        pass  # at the end of the class

    def converse(self, case, connection, address, is_sent=False):
        with connection:
            outcome = converse(connection, case, is_sent)
        data = b"".join(step for step in case.steps if isinstance(step, bytes))
        self.clients[address] = Sent(case.name, data, outcome.answers, outcome.ending)
        return outcome

    # ---- the cases of tests/http

    @staticmethod
    def is_by_app(step, request):
        """Whether the app answers, where the plugin lab answers so: not where the host refuses."""
        return step.status in (200, 307, 404, 405) or step.status == 204 and b"OPTIONS * " not in request

    def through_mount(self, case):
        """The case with the answers that it must get here: those of the app are 200."""
        # /livez is a page of the host itself, whatever is mounted at /.
        renamed = [step.replace(b"vez", b"vex") if isinstance(step, bytes) else step for step in case.steps]
        return replace(case, steps=[
            step if isinstance(step, bytes) else
            Expected(step.line, 200, "app", is_head=step.is_head) if self.is_by_app(step, case.first) else
            Expected(step.line, step.status, "host", is_head=step.is_head) for step in renamed])

    def check_answers(self, case, outcome):
        with self.subTest(case.name):
            wanted = [(step.status, step.reason) for step in case.answers]
            came = [(answer.status, "app" if answer.header("x-record") else "host") for answer in outcome.answers
                    if answer.status != 100 or (100, "host") in wanted]
            self.assertEqual((came, outcome.ending), (wanted, case.ending), f"{case.path}:{case.line}")

    def run_cases(self, cases):
        def run(case):
            address, connection = self.connect()
            return self.converse(case, connection, address)

        for case, outcome in run_all(cases, run):
            self.check_answers(case, outcome)
        self.check_all()

    def behind_and_before(self, case):
        """The case between two good requests of the same connection. The last is answered if the
        connection stays open."""
        is_open = case.ending == OPEN
        first = Expected(0, 200, "app" if self.is_before_for_app else "host")
        return replace(case, name=case.name + ", between others", ending=CLOSES, steps=[
            self.before + case.first + BEHIND, first, *case.answers, *[Expected(0, 200, "app")] * is_open])

    def test_cases(self):
        self.assertGreater(len(self.cases), 300)
        self.run_cases([self.through_mount(case) for case in self.cases])

    def test_cases_between_good_requests(self):
        # Where a body stops short, what is sent behind is the rest of it.
        cases = [self.through_mount(case) for case in self.cases if not case.ends_its_side]
        self.run_cases([self.behind_and_before(case) for case in cases
                        if all(isinstance(step, Expected) for step in case.later)])

    def test_cases_in_pieces(self):
        """The request has begun at the app before its end has come."""
        cases = [self.through_mount(case) for case in self.cases]
        for i in range(0, len(cases), 2 * THREADS):
            some = cases[i:i + 2 * THREADS]
            connected = [self.connect() for _ in some]
            pieces_apart([Wire(connection) for _, connection in connected], [cut(case.first) for case in some])
            for (address, connection), case in zip(connected, some):
                self.check_answers(case, self.converse(case, connection, address, is_sent=True))
        self.check_all()

    def test_cases_of_http_1_0(self):
        """Also with a good request where the case ends, which may be within a body."""
        sent = [(f"{case.name}, HTTP/1.0{', kept' * keep}", http_1_0(data, keep=keep) + BEHIND)
                for case in self.cases for keep in (False, True)
                for data in (self.through_mount(case).first,) if b" HTTP/1.1\r\n" in data]
        run_all(sent, lambda pair: self.send(*pair))
        records = self.check_all()
        seen = {sent.name for address, sent in self.clients.items() if records[address]}
        self.assertGreater(len(seen), 200)

    # ---- the matrix

    LENGTHS = ("Content-Length: {n}", "Content-Length: 0{n}", "Content-Length:\t{n} ", "Content-Length: +{n}",
               "Content-Length: -{n}", "Content-Length: {n}, {n}", "Content-Length: 0, {n}",
               "Content-Length: {n};", "Content-Length: 0x{n:x}", "Content-Length: {n}_0", "Content-Length: {n}.0",
               "Content-Length: \x0b{n}", "Content-Length: {n}\0", "Content-Length : {n}", "Content-Length\0: {n}",
               "Content-Length: {n}\r\nContent-Length: {n}", "Content-Length: {n}\r\ncontent-length: 0",
               "Content-Length: 0\r\nCONTENT-LENGTH: {n}", "Content-Length:\r\n {n}", "Content_Length: {n}",
               "X: y\rContent-Length: {n}", "X: y\nContent-Length: {n}", "Connection: Content-Length\r\n"
               "Content-Length: {n}", "Content-Length: {n}\r\nContent_Length: 0", "Content-Length: 0{n}\n")
    CODINGS = ("Transfer-Encoding: chunked", "transfer-encoding:\tCHUNKED ", "Transfer-Encoding: chunked, identity",
               "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip, chunked",
               "Transfer-Encoding: identity",
               "Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx", "Transfer-Encoding: chunked,",
               "Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"",
               "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked\x0c", "Transfer-Encoding : chunked",
               "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked", "Transfer_Encoding: chunked",
               "Transfer-Encoding:\r\n chunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked",
               "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
               "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunk\xe9d",
               "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
               "Transfer-Encoding: chunked\r\nTransfer_Encoding: identity", "Transfer-Encoding: \xa0chunked")
    BODIES = {"plain": SMUGGLED, "behind a last chunk": b"0\r\n\r\n" + SMUGGLED,
              "in a chunk": b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
              "in a chunk, extended": b"%x;a=\"b\"\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
              "behind LF": b"0\n\n" + SMUGGLED, "in a trailer": b"0\r\nX: y\r\n " + SMUGGLED,
              "behind a long chunk": b"1\r\nxx\r\n0\r\n\r\n" + SMUGGLED,
              "behind an extension": b"1;\nx\r\n0\r\n\r\n" + SMUGGLED,
              "behind a wrapped size": b"10000000000000000\r\n\r\n0\r\n\r\n" + SMUGGLED}

    def matrix(self):
        """Requests with a marked one in their bodies. Those are left out in which a strict reading has that as
        a request of its own."""
        short = "Content-Length: 4"
        heads = [*self.LENGTHS, *self.CODINGS,
                 *(f"{short}\r\n{coding}" for coding in self.CODINGS),
                 *(f"{coding}\r\n{short}" for coding in self.CODINGS),
                 *(f"Content-Length: {{n}}\r\n{coding}" for coding in self.CODINGS),
                 *(f"{length}\r\n{self.CODINGS[0]}" for length in self.LENGTHS)]
        for lines, (style, body), version in itertools.product(heads, self.BODIES.items(), ("1.1", "1.0")):
            keep = "" if version == "1.1" else "Connection: keep-alive\r\n"
            head = f"POST /doubtful HTTP/{version}\r\nHost: x\r\n{keep}{lines.format(n=len(body))}\r\n\r\n"
            data = as_bytes(head) + body + BEHIND
            if not any(b"smuggled" in request.head.target for request in reading(data)):
                yield f"{lines!r} {style} HTTP/{version}", data

    def run_matrix(self, sent, is_cut):
        run_all(sent, lambda pair: self.send(*pair, pieces=cut(pair[1]) if is_cut else None))
        records = self.check_all()
        for address, client in self.clients.items():
            with self.subTest(client.name):
                whole = [record for record in records[address] if not record["fault"]]
                self.assertNotIn("/smuggled", [record["target"] for record in whole])
                # Nothing is refused that has but one reading.
                self.assertEqual(len(whole), len(reading(client.data)), client)
        return sum(any(not record["fault"] for record in some) for some in records.values())

    def test_matrix(self):
        sent = [*self.matrix()]
        self.assertGreater(len(sent), 1500)
        self.assertGreater(self.run_matrix(sent, is_cut=False), 50)

    def test_matrix_in_pieces(self):
        self.assertGreater(self.run_matrix([*self.matrix()][::3], is_cut=True), 15)

    # ---- answers

    def test_early_answers(self):
        """The app answers before it has the body: what comes of it later is no request."""
        # A smaller body that has a length is awaited before the app gets anything.
        large = SMUGGLED * 2000
        sized = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(large)
        sent = [("sized", sized + large + BEHIND)]
        coded = b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body in (SMUGGLED, SMUGGLED * 1400):
            sent += [("chunked", coded + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + BEHIND),
                     ("malformed", coded + b"%x\r\n%s\r\r0\r\n\r\n" % (len(body), body) + BEHIND),
                     ("in two chunks", coded + b"%x\r\n%s\r\n" % (len(body), body) * 2 + b"0\r\n\r\n" + BEHIND)]
        run_all(sent * 5, self.send_after_answer)
        records = self.records()
        for address, client in self.clients.items():
            some = records[address]
            for record in some:
                self.check_canonical(record)
                self.assertIn(record["target"], ("/early", "/behind"), client)
                self.assertIn(record["fault"], ("", "cut off", "not whole"), client)
            numbers = [int(answer.header("x-record")) for answer in client.answers]
            targets = {record["number"]: record["target"] for record in some}
            self.assertEqual([targets[number] for number in numbers], ["/early", "/behind"][:len(numbers)], client)
            self.assertEqual(set(targets), set(numbers), client)

    def send_after_answer(self, pair):
        """Sends the head, and the rest once the answer has come."""
        name, data = pair
        address, connection = self.connect()
        with connection:
            wire = Wire(connection)
            head, *rest = cut(data)
            wire.send(head)
            answers = [wire.answer()]
            pieces_apart([wire], [rest])
            more, ending = read_all(wire, [])
            self.clients[address] = Sent(name, data, answers + more, ending)

    def test_pipelined_requests_get_their_own_answers(self):
        rng = random.Random(13)
        for turn in range(4):
            data = b""
            for i in range(200):
                data += rng.choice((self.before, b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i,
                                    b"HEAD /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i,
                                    b"HEAD /chunks/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i,
                                    b"GET /none/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i,
                                    b"GET /chunks/%d HTTP/1.1\r\nHost: x\r\nConnection: x\r\nX: y\r\n\r\n" % i,
                                    b"DELETE /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (i, len(SMUGGLED))
                                    + SMUGGLED,
                                    b"GET /%d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % i,
                                    b"POST /chunks/%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % i
                                    + self.BODIES["in a chunk"]))
            data += BEHIND
            size = rng.choice((300, 5000))
            pieces = [data[i:i + size] for i in range(0, len(data), size)] if turn else None
            client = self.send(f"pipelined, turn {turn}", data, pieces)
            self.assertEqual(len(client.answers), len(reading(data)), client)
            self.assertEqual(len(client.answers), 201)
        records = self.check_all()
        for address, client in self.clients.items():
            for_app = [request for request in reading(client.data) if is_for_app(request)]
            self.assertEqual(len(records[address]), len(for_app))

    def test_fields_that_connection_names(self):
        named = (b"host", b"content-length", b"x-forwarded-for", b"x-request-id", b"cookie", b"forwarded, x-real-ip",
                 b"x , cookie", b"close, x", b",,x")
        for name in named:
            self.send(f"Connection: {name}", b"POST /named HTTP/1.1\r\nHost: me\r\nCookie: a=b\r\nX: y\r\nX_Y: z\r\n"
                      b"X-Forwarded-For: 6.6.6.6\r\nConnection: %s\r\nContent-Length: 3\r\n\r\nabc" % name + BEHIND)
        records = self.check_all()
        for address in self.clients:
            self.assertEqual(records[address][0]["target"], "/named")


class FramingBesideAPlugin(Framing):
    """The plugin's API answers on the same connections."""
    plugin = "/p=" + LAB
    before, is_before_for_app = (b"POST /p/repeat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
                                 + SMUGGLED), False


class Judging(unittest.TestCase):
    """The checks above find what they are for."""
    DATA = (b"POST /a HTTP/1.1\r\nHost: me\r\nX-Y: z\r\nCookie: a\r\nConnection: x-hop\r\nX-Hop: 1\r\nA_b: c\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: me\r\n\r\n")

    def setUp(self):
        self.judge = Framing()
        self.records = [self.record(1, "POST", "/a", b"abc", ("host", "me"), ("x-y", "z"), ("cookie", "a"),
                                    ("content-length", "3")),
                        self.record(2, "GET", "/b", b"", ("host", "me"))]
        self.answers = [Answer(200, [("x-record", "1")], b"POST /a"), Answer(200, [("x-record", "2")], b"GET /b")]

    @staticmethod
    def record(number, method, target, body, *fields, fault=""):
        return {"number": number, "method": method, "target": target, "fields": [*fields], "fault": fault,
                "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    def check(self):
        self.judge.check_client(Sent("a client", self.DATA, self.answers), self.records)

    def assert_found(self):
        with self.assertRaises(AssertionError):
            self.check()

    def test_good_requests_pass(self):
        self.check()
        self.records[1]["fault"] = "cut off"
        self.answers[1] = Answer(400, [], b"")
        self.check()

    def test_fields(self):
        good = self.records[0]["fields"]
        for fields in ([*good, ("transfer-encoding", "chunked")], [*good, ("content-length", "3")],
                       [*good, ("host", "me")], [*good, ("te", "trailers")], [*good, ("x-hop", "1")],
                       [*good, ("connection", "x-hop")], [*good, ("a_b", "c")], [*good, ("x-z", "1")], good[1:],
                       [("host", "you"), *good[1:]], [good[0], *good[2:]], [good[0], good[2], good[1], good[3]],
                       [*good[:3], ("content-length", "+3")], [*good[:3], ("transfer-encoding", "identity")]):
            with self.subTest(fields):
                self.records[0]["fields"] = fields
                self.assert_found()

    def test_requests(self):
        for key, value in (("method", "GET"), ("target", "/smuggled"), ("size", 2), ("sha256", ""), ("number", 3),
                           ("fault", "a request behind it"), ("fault", "malformed")):
            with self.subTest(key):
                self.setUp()
                self.records[0][key] = value
                self.assert_found()

    def test_order_and_number(self):
        for records in ((0, 0, 1), (0, 1, 1), (1, 0), (0,), (1,), ()):
            with self.subTest(records):
                self.setUp()
                self.records = [dict(self.records[i]) for i in records]
                self.assert_found()
        for answers in ((1, 0), (0,), (0, 1, 1)):
            with self.subTest(answers):
                self.setUp()
                self.answers = [self.answers[i] for i in answers]
                self.assert_found()

    def test_a_smuggled_request_that_is_cut_off(self):
        self.records.append(self.record(0, "GET", "/smuggled", b"", ("host", "x"), fault="not whole"))
        self.assert_found()


class Recorder(MountCase):
    """The app that the tests above rely on."""

    def ask(self, *pieces):
        """Its answers to these bytes, and its records."""
        path = str(Path(self.folder()) / "s")
        process = subprocess.Popen([PYTHON, APPS / "recorder.py", path])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def connect():
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10 * SLOW)
            self.addCleanup(connection.close)
            return connection if connection.connect_ex(path) == 0 else None

        wire = Wire(eventually(connect))
        for piece in pieces:
            wire.send(piece)
        control = Wire(eventually(connect))
        control.send(b"GET /-records HTTP/1.1\r\nHost: x\r\n\r\n")
        return json.loads(control.answer().body)

    def test_it_records_requests(self):
        records = self.ask(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab", b"c")
        self.assertEqual([(record["head"][:7], record["size"], record["fault"]) for record in records],
                         [("POST /a", 3, "")])

    def test_it_finds_faults(self):
        for fault, *pieces in (
                ("a request behind it", SMUGGLED * 2),
                ("not whole", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab"),
                ("malformed", b"GET /a HTTP/1.1\nHost: x\n\n\r\n\r\n"),
                ("malformed", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\n fold\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x, chunked\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;a\r\n\r\n"),
                ("malformed", b"GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
                ("malformed", SMUGGLED, b"abc\r\n\r\n")):
            with self.subTest(pieces):
                records = self.ask(*pieces)
                self.assertTrue(any(record["fault"].startswith(fault) for record in records), records)


if __name__ == "__main__":
    main()
