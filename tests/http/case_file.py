"""Reads .http files: what a client sends and what a server must answer. The format is in README.md.

A file that cannot be read is a WrongFile, whose text begins with file:line.
"""
import json
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

STATUS_LINE = re.compile(r"HTTP/1\.1 (\d{3})(?: (\S.*))?")
REQUEST_LINE = re.compile(rb"\S+ \S+ HTTP/\d\.\d")
HEADER = re.compile(r"[^\s:()]+:.*")
REPEAT = re.compile(rb"(?<!\\)\\\{((?:[^{}\\]|\\[^{])*) \* (\d+)\}", re.DOTALL)
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
CLOSES, OPEN = "closes", "stays open"
ENDINGS = (CLOSES, OPEN)
NGINX = re.compile(rf"((?:\d+ )*)({'|'.join(ENDINGS)}), because (.+)")
MODES = ("byte by byte", "behind another", "TLS", "nginx")
FLAGS = ("as is", "ends its side", "100 may come", *ENDINGS)
CASE_KEYS = ("RFC", "plugin", "options", "port", "times", "hides", "nginx")
FILE_KEYS = ("plugin", "options", "also")


class WrongFile(Exception):
    pass


@dataclass
class Expected:
    """An answer as the case has it. `headers` are pairs; `text` is None where no body is given."""
    line: int
    status: int
    reason: str = ""
    headers: list = field(default_factory=list)
    text: str | None = None
    is_head: bool = False  # the answer to a HEAD, which has no body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass
class Case:
    path: Path
    line: int
    name: str
    plugin: str
    options: str
    steps: list = field(default_factory=list)  # bytes to send and Expected answers, in order
    ending: str = OPEN
    is_as_is: bool = False
    ends_its_side: bool = False
    may_continue: bool = False
    port: str = ""
    times: int = 1
    hides: str = ""
    nginx: tuple | None = None  # statuses, ending, reason

    @property
    def answers(self):
        return [step for step in self.steps if isinstance(step, Expected)]

    @property
    def first(self):
        """What is sent before any answer is waited for."""
        sent = b""
        for step in self.steps:
            if isinstance(step, Expected):
                break
            sent += step
        return sent

    @property
    def later(self):
        """The steps behind `first`."""
        waits = [i for i, step in enumerate(self.steps) if isinstance(step, Expected)]
        return self.steps[waits[0]:] if waits else []


@dataclass
class File:
    path: Path
    plugin: str = ""
    options: str = ""
    also: tuple = ()
    cases: list = field(default_factory=list)


def unescape(text):
    """The bytes that a text stands for. ValueError says what is no escape."""
    data = text.encode()
    while (changed := REPEAT.sub(lambda m: m[1] * int(m[2]), data)) != data:
        data = changed

    def one(match):
        name = match[1]
        if len(name) == 3:
            return bytes([int(name[1:], 16)])
        if name not in ESCAPES:
            raise ValueError(f"\\{name.decode(errors='replace')} is no escape; there are "
                             r"\r \n \t \0 \\ \xHH and \{TEXT * COUNT}")
        return ESCAPES[name]
    return ESCAPE.sub(one, data)


def continues(line):
    """Whether a line ends with a backslash of its own: nothing is added to it."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def join(lines, end):
    """Lines with the ends that they get, still with their escapes."""
    return "".join(line[:-1] if continues(line) else line + end for line in lines)


def read(path):
    return Parser(Path(path)).file()


class Parser:
    def __init__(self, path):
        self.path, self.at = path, 0
        try:
            self.lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongFile(f"{path}:1: it cannot be read as UTF-8: {error}") from None

    def wrong(self, why, line=None):
        raise WrongFile(f"{self.path}:{line or self.at + 1}: {why}")

    @property
    def line(self):
        return self.lines[self.at] if self.at < len(self.lines) else None

    def is_over(self):
        return self.line is None or self.line.startswith("### ") or self.line == "###"

    def directives(self, keys, flags=()):
        """The lines "# key: value" and "# flag" that come now; comments and empty lines are passed over."""
        while not self.is_over():
            if self.line.startswith("#"):
                words = self.line[1:].strip()
                key, colon, value = (part.strip() for part in words.partition(":"))
                if colon and key in keys:
                    yield key, value
                elif words in flags:
                    yield words, None
                else:
                    known = ", ".join([f'"# {key}: ..."' for key in keys] + [f'"# {flag}"' for flag in flags])
                    self.wrong(f'"{self.line}" is no directive here; there are {known}. A comment begins with //')
            elif self.line.strip() and not self.line.startswith("//"):
                return
            self.at += 1

    def file(self):
        file = File(self.path)
        for key, value in self.directives(FILE_KEYS):
            if key == "also":
                file.also = tuple(mode.strip() for mode in value.split(","))
                if set(file.also) - set(MODES):
                    self.wrong(f'"also" is one or more of {", ".join(MODES)}, with commas between')
            else:
                self.set_option(file, key, value)
        if not file.plugin:
            self.wrong('the file names no plugin: a line such as "# plugin: lab" goes on top', 1)
        if not self.is_over():
            self.wrong('a case begins with a line "### what is promised"')
        names = set()
        while self.line is not None:
            case = self.case(file)
            if case.name in names:
                self.wrong(f'there is another case "{case.name}" in this file', case.line)
            names.add(case.name)
            file.cases.append(case)
        if not file.cases:
            self.wrong("there is no case in this file", 1)
        return file

    def case(self, file):
        case = Case(self.path, self.at + 1, self.line[3:].strip(), file.plugin, file.options)
        if not case.name:
            self.wrong('a case has a name: "### what is promised"')
        self.at += 1
        for key, value in self.directives(CASE_KEYS, FLAGS):
            self.set_directive(case, key, value)
        while not self.is_over():
            self.message(case)
        if not any(isinstance(step, bytes) for step in case.steps) and not case.ends_its_side:
            self.wrong("the case sends nothing: it has no request", case.line)
        if not case.answers and case.ending == OPEN:
            self.wrong('the case expects nothing: it has neither an answer such as "HTTP/1.1 200 OK" nor "# closes"',
                       case.line)
        case.steps = [step for step in case.steps if isinstance(step, bytes)] * case.times + \
            case.answers * case.times if case.times > 1 else case.steps
        if case.nginx and case.nginx[:2] == ([answer.status for answer in case.answers], case.ending):
            self.wrong("nginx is said to differ, but does the same", case.line)
        return case

    def set_directive(self, case, key, value):
        if key == "as is":
            case.is_as_is = True
        elif key == "ends its side":
            case.ends_its_side = True
        elif key == "100 may come":
            case.may_continue = True
        elif key in ENDINGS:
            case.ending = key
        elif key == "nginx":
            match = NGINX.fullmatch(value)
            if not match:
                self.wrong('not like "# nginx: 400 closes, because it ..." (or "200 200 stays open, because ...")')
            case.nginx = [int(status) for status in match[1].split()], match[2], match[3]
        elif key == "times":
            if not re.fullmatch("[1-9][0-9]{0,3}", value):
                self.wrong('not like "# times: 100"')
            case.times = int(value)
        elif key == "port":
            if value != "admin":
                self.wrong('the only other port is "# port: admin"')
            case.port = value
        elif key != "RFC":
            self.set_option(case, key, value)

    def set_option(self, target, key, value):
        try:
            shlex.split(value if key == "options" else "")
        except ValueError as error:
            self.wrong(f"these options are not like those of a shell: {error}")
        setattr(target, key, value)

    def message(self, case):
        """A request, the rest of a body, or an answer, up to where the next one begins."""
        kind = "answer"
        if not STATUS_LINE.fullmatch(self.line):
            kind = "body" if self.line == "--- body" else "request"
            if self.line.startswith("---"):
                if self.line not in ("---", "--- body"):
                    self.wrong('"---" begins the next request, "--- body" the rest of a body')
                self.at += 1
        elif not any(isinstance(step, bytes) for step in case.steps) and not case.ends_its_side:
            self.wrong("an answer comes before any request")
        begin = self.at
        self.at += kind == "answer"
        while not self.is_over() and not STATUS_LINE.fullmatch(self.line) and not self.line.startswith("---"):
            if self.line.startswith("HTTP/"):
                self.wrong('not a status line such as "HTTP/1.1 404 Not Found"')
            self.at += 1
        lines = self.lines[begin:self.at]
        while lines and not lines[-1].strip():
            lines.pop()
        while lines and not lines[0].strip():
            lines.pop(0)
            begin += 1
        if not lines:
            self.wrong(f"the {kind} is empty", begin)
        if kind == "answer":
            case.steps.append(self.answer(case, lines, begin))
        else:
            case.steps.append(self.bytes_of(join(lines, "\n").removesuffix("\n"), begin + 1) if kind == "body"
                              else self.request(case, lines, begin))

    def bytes_of(self, text, line):
        try:
            return unescape(text)
        except ValueError as error:
            return self.wrong(str(error), line)

    def request(self, case, lines, begin):
        head, body = split(lines)
        is_whole = not continues(head[-1])
        if not case.is_as_is:
            if not REQUEST_LINE.fullmatch(self.bytes_of(head[0], begin + 1)):
                self.wrong('a request begins with a line such as "GET /livez HTTP/1.1"; with "# as is" '
                           "above it any bytes are sent", begin + 1)
            for i, line in enumerate(head[1:], 2):
                if not HEADER.fullmatch(line):
                    self.wrong('not a header such as "Name: value"; with "# as is" any bytes are sent', begin + i)
        data = self.bytes_of(join(body, "\n").removesuffix("\n"), begin + len(head) + 2)
        if not case.is_as_is:
            names = {line.partition(":")[0].lower() for line in head[1:]}
            if data and not names & {"content-length", "transfer-encoding"}:
                head.insert(1, f"Content-Length: {len(data)}")
            if "host" not in names:
                head.insert(1, "Host: localhost")
        return self.bytes_of(join(head, "\r\n") + "\r\n" * is_whole, begin + 1) + data

    def answer(self, case, lines, begin):
        match = STATUS_LINE.fullmatch(lines[0])
        head, body = split(lines)
        answer = Expected(begin + 1, int(match[1]), match[2] or "")
        for i, line in enumerate(head[1:], 2):
            if not HEADER.fullmatch(line):
                self.wrong('not a header such as "Name: value"', begin + i)
            name, _, value = line.partition(":")
            if value.strip().startswith("~"):
                self.check_pattern(value.strip()[1:], begin + i)
            answer.headers.append((name, value.strip()))
        final = [step for step in case.answers if step.status >= 200]
        sent = [step for step in case.steps if isinstance(step, bytes)]
        answer.is_head = len(final) < len(sent) and sent[len(final)].startswith(b"HEAD ")
        if body:
            answer.text = "\n".join(body)
            if answer.is_head:
                self.wrong("the answer to a HEAD has no body", begin + len(head) + 2)
            if self.is_json(answer):
                try:
                    json.loads(answer.text)
                except ValueError as error:
                    self.wrong(f"the body is said to be JSON, but is not: {error}", begin + len(head) + 2)
            elif answer.text != "(none)":
                self.bytes_of(answer.text, begin + len(head) + 2)
        return answer

    @staticmethod
    def is_json(answer):
        kind = answer.header("content-type")
        return answer.text != "(none)" and (answer.status >= 400 if kind is None else "json" in kind)

    def check_pattern(self, pattern, line):
        try:
            re.compile(pattern)
        except re.error as error:
            self.wrong(f"not a regular expression: {error}", line)


def split(lines):
    """The head's lines and the body's, which the first empty line divides."""
    end = next((i for i, line in enumerate(lines) if line == ""), len(lines))
    return lines[:end], lines[end + 1:]


def behind_another(case):
    """The same behind a good request of the same connection, whose answer comes first."""
    good = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    return replace(case, name=case.name + ", behind another request",
                   steps=[good + case.first, Expected(case.line, 200), *case.later])
