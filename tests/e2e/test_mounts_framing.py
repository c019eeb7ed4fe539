"""Smuggling: what an app gets of doubtful requests that a mount passes on. The cases of tests/http and a matrix of
framings are sent to a mount whose app, apps/recorder.py, records what it gets. The app may see a prefix of
the requests that a strict reading of the client's bytes has, each once, in canonical form, and nothing else."""
import gzip
import hashlib
import itertools
import json
import random
import re
import socket
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from harness import LAB, SLOW, SOURCE, eventually, main
from http_wire import THREADS, Ended, Wire, as_bytes, run_all
from mount_case import APPS, PYTHON, MountCase

sys.path[:0] = [str(SOURCE / "tests" / "http"), str(APPS)]
from case_file import CLOSES, OPEN, Expected, read  # noqa: E402
from exchange import converse  # noqa: E402
from recorder import Malformed, Reader, values  # noqa: E402

FILES = ("request_line", "headers", "hosts", "targets", "paths", "methods", "content_length", "transfer_encoding",
         "chunking", "trailers", "codings", "connection", "expectations", "limits")
OPTIONS = "--max-body 100k"  # those of the files
BEHIND = b"GET /behind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
INFLATE = {b"gzip": gzip.decompress, b"deflate": zlib.decompress}

REQUEST_LINE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (/[!-~]*|\*) HTTP/1\.1")
FIELD = re.compile(r"([!#$%&'*+\-.^`|~0-9A-Za-z]+): ([\t -~\x80-\xff]*)")  # no "_" in names
# RFC 9110 7.6.1, and Expect, which the host answers.
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"}
FRAMING = {"host", "content-length", "transfer-encoding", "content-encoding"}
OF_THE_HOST = {"forwarded", "x-real-ip", "x-request-id", "x-bento-deadline-ms"}


def options_of(head):
    """The members of its Connection fields."""
    named = b",".join(values(head, b"connection")).decode("latin-1").lower()
    return {option.strip(" \t") for option in named.split(",")}


def is_last(head):
    options = options_of(head)
    return "close" in options or head.minor == 0 and "keep-alive" not in options


def reading(data):
    """The requests that a strict server finds in the bytes."""
    reader = Reader(is_canonical=False)
    try:
        reader.feed(data)
    except Malformed:
        pass
    requests = reader.requests
    return requests[:next((i for i, one in enumerate(requests, 1) if is_last(one.head)), len(requests))]


def is_for_app(request):
    return request.head.target != b"*" and not request.head.target.startswith(b"/p/")


def target_of(head):
    """The target that the app must get, or None where dot segments have it made anew."""
    target = head.target.decode("latin-1")
    if not target.startswith("/"):
        target = re.sub("^https?://[^/?]*", "", target, flags=re.IGNORECASE)
        target = target if target.startswith("/") else "/" + target
    segments = unquote(target.partition("?")[0]).split("/")
    return None if {".", ".."} & set(segments) else target


def end_to_end(fields, named=()):
    """The fields that concern neither a connection nor the host."""
    return [(name, value) for name, value in fields if not (
        name in HOP_BY_HOP | FRAMING | OF_THE_HOST or name in named or "_" in name
        or name.startswith("x-forwarded-"))]


def body_of(request):
    coding = b"".join(values(request.head, b"content-encoding")).lower()
    return INFLATE[coding](request.body) if coding and request.body else request.body


class Sent:
    """What one client has sent, and what came back."""

    def __init__(self, name, data, answers, ending=""):
        self.name, self.data, self.answers, self.ending = name, data, answers, ending

    def __repr__(self):
        data = self.data if len(self.data) < 3000 else self.data[:3000] + b"..."
        return f"{self.name}: {data} was answered {[answer.status for answer in self.answers]}, {self.ending}"


def read_all(wire, requests):
    """All answers until the connection ends. Only those to HEAD have no body."""
    answers = []
    try:
        while True:
            final = sum(answer.status >= 200 for answer in answers)
            answers.append(wire.answer(final < len(requests) and requests[final].head.method == b"HEAD"))
    except Ended as ended:
        return answers, str(ended)


def cut(data):
    """The bytes in three: the first head, and the rest in two."""
    end = data.find(b"\r\n\r\n") + 4
    half = end + (len(data) - end) // 2
    return [piece for piece in (data[:end], data[end:half], data[half:]) if piece]


def pieces_apart(wires, texts):
    """Sends the texts in pieces; the host has read one before the next comes, in all likelihood."""
    for turn in itertools.zip_longest(*texts, fillvalue=b""):
        for wire, piece in zip(wires, turn):
            if piece:
                wire.send(piece)
        time.sleep(0.002)


def http_1_0(data, *, keep=False):
    return data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n" + b"Connection: keep-alive\r\n" * keep)


class Framing(MountCase):
    """The app is mounted at / and has the host for itself."""
    plugin = None
    before, is_before_for_app = b"GET /before HTTP/1.1\r\nHost: x\r\n\r\n", True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host, cls.numbers = None, itertools.count(1)
        # Files of the host's own pages, and of others: /livez is a page of the host, so it is renamed.
        cls.cases = [case for name in FILES for case in read(SOURCE / "tests" / "http" / f"{name}.http").cases
                     if case.options == OPTIONS and not case.port]

    def setUp(self):
        if type(self).host is None:
            type(self).host = self.mount(f"/=http:{PYTHON} recorder.py {{socket}}", plugin=self.plugin,
                                         more=("--access-log", "off", *OPTIONS.split()))
            type(self).addClassCleanup(type(self).host.stop)
        self.clients = {}  # by address

    def _stop(self, host):
        pass  # at the end of the class

    # ---- sending

    def connect(self):
        """A connection from an address of its own, by which the app's records are told apart."""
        number = next(self.numbers)
        address = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=10 * SLOW,
                                              source_address=(address, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return address, connection

    def send(self, name, data, pieces=None):
        """Sends the bytes, ends the client's side, and reads all answers."""
        address, connection = self.connect()
        with connection:
            wire = Wire(connection)
            if pieces is None:
                wire.send(data)
            else:
                pieces_apart([wire], [pieces])
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the host has closed it
            self.clients[address] = Sent(name, data, *read_all(wire, reading(data)))
        return self.clients[address]

    def converse(self, case, connection, address, is_sent=False):
        with connection:
            outcome = converse(connection, case, is_sent)
        data = b"".join(step for step in case.steps if isinstance(step, bytes))
        self.clients[address] = Sent(case.name, data, outcome.answers, outcome.ending)
        return outcome

    # ---- judging

    def records(self):
        """The app's records of this test's clients, by address."""
        eventually(lambda: sum(value for name, value in self.host.metrics().items()
                               if name.startswith("bentohost_mount_requests_in_flight")) == 0,
                   what="an idle mount")
        found = defaultdict(list)
        for record in json.loads(self.host.get("/-records").body):
            self.assertIsNotNone(record["head"], record)
            line, *lines = record["head"].split("\r\n")
            self.assertTrue(REQUEST_LINE.fullmatch(line), record)
            record["method"], record["target"], _ = line.split(" ")
            fields = [FIELD.fullmatch(line) for line in lines]
            self.assertTrue(all(fields), record)
            record["fields"] = [(field[1].lower(), field[2]) for field in fields]
            clients = [value for name, value in record["fields"] if name == "x-forwarded-for"]
            self.assertLessEqual(len(clients), 1, record)
            if clients and clients[0] in self.clients:
                found[clients[0]].append(record)
        return found

    def check_canonical(self, record):
        names = [name for name, _ in record["fields"]]
        self.assertEqual(names.count("host"), 1, record)
        framed = [field for field in record["fields"] if field[0] in ("content-length", "transfer-encoding")]
        self.assertLessEqual(len(framed), 1, record)
        for name, value in framed:
            self.assertTrue(value == "chunked" if name == "transfer-encoding" else re.fullmatch(r"0|[1-9]\d*", value),
                            record)
        self.assertFalse(set(names) & (HOP_BY_HOP | {"content-encoding"}), record)

    def check_same(self, record, request, is_whole=True):
        """Asserts that the app got what the client has sent."""
        head = request.head
        self.assertEqual(record["method"], head.method.decode(), record)
        target = target_of(head)
        if target is not None:
            self.assertEqual(record["target"], target, record)
        authority = re.match(rb"https?://([^/?]*)", head.target, re.IGNORECASE)
        host = [authority[1]] if authority else values(head, b"host")
        if host:
            self.assertIn(("host", host[0].decode("latin-1")), record["fields"])
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.fields]
        self.assertEqual(end_to_end(record["fields"]), end_to_end(sent, options_of(head)), record)
        if is_whole:
            body = body_of(request)
            self.assertEqual((record["size"], record["sha256"]), (len(body), hashlib.sha256(body).hexdigest()), record)

    def check_all(self):
        """Asserts of all clients of this test what the app may see; returns the records by address."""
        records = self.records()
        for address, sent in self.clients.items():
            with self.subTest(sent.name):
                self.check_client(sent, records[address])
        return records

    def check_client(self, sent, records):
        for record in records:
            self.check_canonical(record)
        # A body that turns out to be malformed ends within: that request was never whole.
        cut_off = [record for record in records if record["fault"] in ("not whole", "cut off")]
        whole = [record for record in records if record not in cut_off]
        self.assertEqual([record["fault"] for record in whole if record["fault"]], [], sent)
        self.assertLessEqual(len(cut_off), 1, sent)
        expected = [request for request in reading(sent.data) if is_for_app(request)]
        self.assertLessEqual(len(whole), len(expected), (sent, whole))
        for record, request in zip(whole, expected):
            self.check_same(record, request)
        # Each was answered, once and in its turn.
        numbers = [int(answer.header("x-record")) for answer in sent.answers if answer.header("x-record")]
        self.assertEqual(numbers, [record["number"] for record in sorted(whole, key=lambda one: one["number"])], sent)
        self.assertEqual(numbers, [record["number"] for record in whole], sent)
        for record, answer in zip(whole, (one for one in sent.answers if one.header("x-record"))):
            if answer.body:
                self.assertEqual(answer.body.decode(), f"{record['method']} {record['target'][:100]}", sent)
        for record in cut_off:
            self.assertNotIn("smuggled", record["target"], sent)

    # ---- the cases of tests/http

    @staticmethod
    def is_by_app(step, request):
        """Whether the app answers, where the plugin lab answers so: not where the host refuses."""
        return step.status in (200, 307, 404, 405) or step.status == 204 and b"OPTIONS * " not in request

    def through_mount(self, case):
        """The case with the answers that it must get here: those of the app are 200."""
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
               "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity",
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
                 *(f"{short}\r\n{coding}" for coding in self.CODINGS), *(f"{coding}\r\n{short}" for coding in self.CODINGS),
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
        sent = []
        for body in (SMUGGLED, SMUGGLED * 100):
            sized = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            coded = b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            sent += [("sized", sized + body + BEHIND),
                     ("chunked", coded + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + BEHIND),
                     ("in two chunks", coded + b"%x\r\n%s\r\n" % (len(body), body) * 2 + b"0\r\n\r\n" + BEHIND)]
        run_all(sent * 5, self.send_after_answer)
        for address, some in self.records().items():
            client = self.clients[address]
            for record in some:
                self.check_canonical(record)
                self.assertIn(record["target"], ("/early", "/behind"), client)
                self.assertIn(record["fault"], ("", "cut off", "not whole"), client)
            numbers = [int(answer.header("x-record")) for answer in client.answers]
            self.assertEqual(numbers[0], some[0]["number"] or numbers[0], client)
            self.assertIn(len(numbers), (1, 2), client)
            if len(numbers) == 2:
                self.assertEqual([record["target"] for record in some if record["number"] == numbers[1]], ["/behind"])

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
            self.send(f"Connection: {name}", b"POST /named HTTP/1.1\r\nHost: me\r\nCookie: a=b\r\nX: y\r\nX-Forwarded-For: 6"
                      b".6.6.6\r\nConnection: %s\r\nX_Y: z\r\nContent-Length: 3\r\n\r\nabc" % name + BEHIND)
        records = self.check_all()
        for address in self.clients:
            self.assertEqual(records[address][0]["target"], "/named")


class FramingBesideAPlugin(Framing):
    """The plugin's API answers on the same connections."""
    plugin = "/p=" + LAB
    before, is_before_for_app = (b"POST /p/repeat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
                                 + SMUGGLED), False


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
