"""What the app of a mount may see of what clients send: sends bytes to a mount whose app, apps/recorder.py, records
what it gets, and judges the records by a strict reading of the bytes."""
import gzip
import hashlib
import itertools
import json
import re
import socket
import sys
import time
import zlib
from collections import defaultdict
from urllib.parse import unquote

from harness import SLOW, eventually
from http_wire import Ended, Wire
from mount_case import APPS, MountCase

sys.path.insert(0, str(APPS))
from recorder import Malformed, Reader, values  # noqa: E402

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


class FramingCase(MountCase):
    """The class has one host, whose mount is the recorder. Each client has an address of its own, by which the records
    are told apart."""
    host, numbers, addresses = None, itertools.count(1), set()

    def setUp(self):
        self.clients = {}  # by address

    # ---- sending

    def connect(self):
        """A connection from an address of its own, by which the app's records are told apart."""
        number = next(self.numbers)
        address = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=10 * SLOW,
                                              source_address=(address, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addresses.add(address)
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
            if clients:
                self.assertEqual(len(clients), 1, record)
                self.assertIn(clients[0], self.addresses, record)
                found[clients[0]].append(record)
            else:  # only the host's own, whether the app is ready: bytes of a body have no client
                self.assertEqual((record["method"], record["target"], record["number"]), ("GET", "/", 1), record)
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
        self.assertNotIn("_", "".join(names), record)

    def check_same(self, record, request):
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
