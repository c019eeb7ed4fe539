"""The client of the table's cases: sends raw bytes in pieces, reads answers strictly, and finds out
what became of the connection."""
import concurrent.futures
import itertools
import socket
import ssl
import struct
from dataclasses import dataclass, field

from harness import SLOW
from http_cases import Case, Verdict

THREADS = 32
MOST_PIECES = 400
# Sent unless the last answer said "close". If the connection goes on, then this one's answer, known
# by its id, is the only one still to come.
PROOF = (b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
         b"X-Request-Id: proof-of-life\r\n\r\n")
NO_HEAD = 0  # the status of an answer as HTTP/0.9 has it


class Ended(Exception):
    """No more bytes come; says how it ended."""


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes

    def header(self, name):
        return ", ".join(value for key, value in self.headers if key == name)

    def is_proof(self):
        return self.status == 200 and self.header("x-request-id") == "proof-of-life"


@dataclass
class Outcome:
    """What was seen, to be held against a Verdict."""
    answers: list = field(default_factory=list)
    ending: str = "closes"

    def __str__(self):
        return " ".join([*(str(answer.status) for answer in self.answers), self.ending])

    def is_as(self, verdict: Verdict):
        endings = {True: ("goes on",), False: ("closes",), None: ("goes on", "closes")}
        return (self.ending in endings[verdict.goes_on] and
                len(self.answers) == len(verdict.statuses) and
                all(answer.status in (expected if isinstance(expected, tuple) else (expected,))
                    for answer, expected in zip(self.answers, verdict.statuses)))


class Wire:
    def __init__(self, connection):
        self.connection, self.unread = connection, b""

    def send(self, data):
        """What the peer no longer takes is told by what comes back."""
        try:
            self.connection.sendall(data)
        except OSError:
            pass

    def more(self):
        try:
            piece = self.connection.recv(65536)
        except TimeoutError:
            raise Ended("stays open in silence") from None
        except (ConnectionError, ssl.SSLError) as error:
            raise Ended(f"breaks off: {error}") from None
        if not piece:
            raise Ended("closes")
        self.unread += piece

    def until(self, mark):
        while mark not in self.unread:
            self.more()
        before, _, self.unread = self.unread.partition(mark)
        return before

    def exactly(self, size):
        while len(self.unread) < size:
            self.more()
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def to_the_end(self):
        try:
            while True:
                self.more()
        except Ended:
            taken, self.unread = self.unread, b""
            return taken

    def answer(self, is_bodiless=False):
        while len(self.unread) < 5 and b"HTTP/".startswith(self.unread):
            self.more()
        if not self.unread.startswith(b"HTTP/"):
            return Answer(NO_HEAD, [], self.to_the_end())
        status_line, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip())
                   for name, _, value in (line.partition(":") for line in lines)]
        answer = Answer(int(status_line.split(" ")[1]), headers, b"")
        if is_bodiless or answer.status < 200 or answer.status in (204, 304):
            return answer
        if answer.header("transfer-encoding"):
            while size := int(self.until(b"\r\n"), 16):
                answer.body += self.exactly(size)
                self.until(b"\r\n")
            self.until(b"\r\n")
        elif answer.header("content-length"):
            answer.body = self.exactly(int(answer.header("content-length")))
        else:
            answer.body = self.to_the_end()
        return answer


def converse(connection, case: Case, verdict: Verdict, unsent):
    """Sends what is unsent of the case, reads what the verdict expects and whatever else comes."""
    wire, outcome = Wire(connection), Outcome()
    try:
        wire.send(unsent)
        if case.half_close:
            connection.shutdown(socket.SHUT_WR)
        while len(outcome.answers) < len(verdict.statuses):
            answer = wire.answer(len(outcome.answers) in case.bodiless)
            if answer.status == 100 and case.may_continue:
                continue
            outcome.answers.append(answer)
            if answer.status == 100:
                wire.send(case.later)
        says_close = outcome.answers and outcome.answers[-1].header("connection") == "close"
        if verdict.statuses and not says_close and not case.half_close:
            wire.send(PROOF)
        while True:
            outcome.answers.append(wire.answer())
    except Ended as ended:
        outcome.ending = str(ended)
    if outcome.ending == "closes" and wire.unread:
        outcome.ending = f"closes within an answer: {wire.unread[:80]!r}"
    if outcome.ending == "closes" and outcome.answers and outcome.answers[-1].is_proof():
        outcome.answers.pop()
        outcome.ending = "goes on"
    return outcome


def drip(connections, texts):
    """Sends a text on each, a byte at a time and in turns: most bytes are read one by one. A long
    text goes in MOST_PIECES."""
    def pieces(text):
        size = -(-len(text) // MOST_PIECES) or 1
        return [text[i:i + size] for i in range(0, len(text), size)]

    wires = [Wire(connection) for connection in connections]
    for turn in itertools.zip_longest(*map(pieces, texts), fillvalue=b""):
        for wire, piece in zip(wires, turn):
            if piece:
                wire.send(piece)


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def reset(connection):
    """Ends it as a crashed client's system does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def run_all(cases, run):
    """run(case) for each, many at a time; pairs of case and result, in order."""
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(zip(cases, pool.map(run, cases)))
