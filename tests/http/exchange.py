"""Sends a case over a connection, and renders what was expected and what came as lines: they are the
same if the case holds, and their diff is the message if not."""
import itertools
import json
import re
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from case_file import CLOSES, OPEN, Expected, unescape

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from http_wire import Ended, Wire  # noqa: E402

MOST_PIECES = 400
# Sent unless the last answer said "close". If the connection stays open, then this request's answer,
# known by its id, is the only one still to come.
PROOF = (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         b"X-Request-Id: proof-of-life\r\n\r\n")
LINE = 400  # characters of a line that are shown


@dataclass
class Outcome:
    answers: list = field(default_factory=list)
    ending: str = CLOSES


def converse(connection, case, is_sent=False, statuses=None):
    """Sends what the case sends, unless its first part has been, and reads what the case expects, or as many
    answers as there are statuses, and whatever else comes."""
    wire, outcome = Wire(connection), Outcome()
    steps = case.later if statuses is None else [Expected(0, status) for status in statuses]
    if statuses is not None:  # another server's: answers to HEAD stay without a body
        for step, own in zip(steps, case.answers):
            step.is_head = own.is_head
    try:
        if not is_sent:
            wire.send(case.first)
        if case.ends_its_side:
            connection.shutdown(socket.SHUT_WR)
        more = [step for step in case.later if isinstance(step, bytes)] if statuses is not None else []
        for step in steps:
            if isinstance(step, bytes):
                wire.send(step)
                continue
            answer = wire.answer(step.is_head)
            while answer.status == 100 and case.may_continue:
                answer = wire.answer(step.is_head)
            outcome.answers.append(answer)
            if answer.status == 100 and more:
                wire.send(more.pop(0))
        says_close = outcome.answers and outcome.answers[-1].header("connection") == "close"
        if outcome.answers and not says_close and not case.ends_its_side:
            wire.send(PROOF)
        while True:
            outcome.answers.append(wire.answer())
    except Ended as ended:
        outcome.ending = str(ended)
    if outcome.ending == CLOSES and wire.unread:
        outcome.ending = f"closes within an answer: {wire.unread[:80]!r}"
    if outcome.ending == CLOSES and outcome.answers and is_proof(outcome.answers[-1], case):
        outcome.answers.pop()
        outcome.ending = OPEN
    return outcome


def is_proof(answer, case):
    """Whether it answers PROOF. Middleware may turn that away, like any request."""
    return answer.header("x-request-id") == "proof-of-life" and (answer.status == 200 or "--use" in case.options)


def drip(connections, texts):
    """Sends a text on each, a byte at a time and in turns: most bytes are read one by one. A long text
    goes in MOST_PIECES."""
    def pieces(text):
        size = -(-len(text) // MOST_PIECES) or 1
        return [text[i:i + size] for i in range(0, len(text), size)]

    wires = [Wire(connection) for connection in connections]
    for turn in itertools.zip_longest(*map(pieces, texts), fillvalue=b""):
        for wire, piece in zip(wires, turn):
            if piece:
                wire.send(piece)


def fits(pattern, data):
    """Whether bytes are the text, in which ... stands for any bytes."""
    parts = [re.escape(unescape(part)) for part in pattern.split("...")]
    return re.fullmatch(b".*?".join(parts), data, re.DOTALL) is not None


def settle_header(want, got):
    if want == "(none)":
        return "(none)" if got == "" else want
    if want.startswith("~"):
        return got if re.fullmatch(want[1:], got) else want
    return got if got and fits(want, got.encode("latin-1")) else want


def settle(want, got):
    """What is wanted, with what came in place of all that may vary."""
    if isinstance(want, str) and "..." in want:
        is_any = want == "..." or isinstance(got, str) and re.fullmatch(
            ".*?".join(map(re.escape, want.split("..."))), got, re.DOTALL)
        return got if is_any else want
    if isinstance(want, dict) and isinstance(got, dict):
        settled = {key: settle(value, got[key]) if key in got else value
                   for key, value in want.items() if key != "..." and (value != "(none)" or key in got)}
        return {**got, **settled} if "..." in want else settled
    if isinstance(want, list) and isinstance(got, list):
        return [settle(*pair) for pair in zip(want, got)] + want[len(got):]
    return want


def show(data):
    """Bytes as lines in which all can be told apart."""
    text = data.decode("utf-8", "surrogateescape").replace("\\", "\\\\")
    def one(match):
        code = ord(match[0])
        return {9: "\\t", 13: "\\r", 0: "\\0"}.get(code, f"\\x{code - 0xdc00 if code > 255 else code:02x}")
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\udc80-\udcff]", one, text).split("\n")


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def bodies(case, want, got):
    """The bodies as lines: as wanted, and as they came."""
    is_problem = got.status >= 400 and want.header("content-type") is None
    if want.is_head or got.status < 200:
        return [], []
    if want.text == "(none)":
        return ["(none)"], show(got.body) if got.body else ["(none)"]
    came = parse(got.body) if "json" in got.header("content-type") else None
    wanted = parse(want.text) if want.text is not None else None
    if is_problem:
        rest = {"type": "about:blank", "title": want.reason or got.reason, "status": want.status,
                "request_id": got.header("x-request-id")}
        for name in ("instance",) if wanted is not None else ("instance", "detail"):
            if isinstance(came, dict) and name in came:
                rest[name] = "..."
        wanted = {**rest, **wanted} if isinstance(wanted, dict) else rest if wanted is None else wanted
    if wanted is not None and came is not None:
        return [json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).split("\n")
                for value in (settle(wanted, came), came)]
    if is_problem:
        return [json.dumps(wanted)], show(got.body)
    if want.text is None:
        return [], []
    return (show(got.body) if fits(want.text, got.body) else want.text.split("\n")), show(got.body)


def one_answer(case, want, got, is_last, ending):
    """An expected answer and one that came, as lines."""
    pairs = [(f"HTTP/1.1 {want.status} {want.reason or got.reason}", f"HTTP/1.1 {got.status} {got.reason}")]

    def header(name, value):
        came = got.header(name.lower())
        pairs.append((f"{name}: {settle_header(value, came)}", f"{name}: {came or '(none)'}"))

    for name, value in want.headers:
        header(name, value)
    if got.status >= 200 and want.header("date") is None:
        header("Date", "...")
    if got.status >= 400 and want.header("content-type") is None:
        header("Content-Type", "application/problem+json")
    if is_last and want.header("connection") is None and not case.ends_its_side and ending in (CLOSES, OPEN):
        is_told = got.header("connection") == "close"
        pairs.append((f"Connection: {'close' if ending == CLOSES else '(no close)'}",
                      f"Connection: {'close' if is_told else '(no close)'}"))
    wanted, came = ([*lines] for lines in zip(*pairs))
    wanted_body, came_body = bodies(case, want, got)
    if wanted_body or came_body:
        wanted, came = [*wanted, "", *wanted_body], [*came, "", *came_body]
    return wanted, came


def render(case, outcome):
    """The lines that were expected, and those that were seen."""
    wanted, seen = [], []
    for i, (want, got) in enumerate(itertools.zip_longest(case.answers, outcome.answers)):
        if want is None:
            seen += [f"HTTP/1.1 {got.status} {got.reason}", "", *show(got.body)]
        elif got is None:
            wanted += [f"HTTP/1.1 {want.status} {want.reason}", "", *(want.text or "").split("\n")]
        else:
            is_last = i == len(case.answers) - 1 == len(outcome.answers) - 1
            one = one_answer(case, want, got, is_last, outcome.ending)
            wanted, seen = wanted + one[0], seen + one[1]
    hidden = case.hides and case.hides.lower() in everything(outcome).lower()
    wanted += ["", f"# {case.ending}"]
    seen += [f'(the answers have "{case.hides}" in them)'] if hidden else []
    return cut(wanted), cut(seen + ["", f"# {outcome.ending}"])


def everything(outcome):
    return "".join("".join(f"{name}: {value}\n" for name, value in answer.headers) + answer.body.decode("latin-1")
                   for answer in outcome.answers)


def cut(lines):
    """Long lines are shortened; those that differ stay different."""
    return [line if len(line) <= LINE else f"{line[:LINE]}... ({len(line)} characters, hash {hash(line):x})"
            for line in lines]
