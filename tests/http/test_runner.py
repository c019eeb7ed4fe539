"""The runner of the .http files: wrong expectations fail, and wrong files are refused with file:line."""
import contextlib
import io
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import case_file
import run_http_cases
from case_file import CLOSES, OPEN, Expected, WrongFile, unescape
from harness import main

HERE = Path(__file__).parent
TOP = "# plugin: lab\n"
# A case that holds, and what it becomes when one expectation of it is wrong.
GOOD = r"""### good
# hides: a secret
POST /seen?a=b HTTP/1.1
X-Y: one

HTTP/1.1 200 OK
Content-Type: text/plain; ...
X-Request-Id: ~[0-9a-f]{16}
Retry-After: (none)

POST /seen\nquery a=b\n...\nx-y: one\n

### good json
POST /shout HTTP/1.1

{"text":"a","times":2}

HTTP/1.1 200 OK
Content-Type: application/json

{"times": 2, "text": "..."}

### good problem
POST /shout HTTP/1.1

{"times":0,"text":"a"}

HTTP/1.1 422 Unprocessable Content

{"detail": "/times: must be ... 1 (keyword minimum)", "instance": "/shout"}

### good pair
# closes
GET /livez HTTP/1.1
---
HEAD /livez HTTP/1.1
Connection: close

HTTP/1.1 200 OK

ok\n

HTTP/1.1 200 OK
Content-Length: 3
"""
WRONG = (
    ("# hides: a secret", "# hides: query"),
    ("HTTP/1.1 200 OK\nContent-Type: text", "HTTP/1.1 201 OK\nContent-Type: text"),
    ("HTTP/1.1 200 OK\nContent-Type: text", "HTTP/1.1 200 Fine\nContent-Type: text"),
    ("text/plain; ...", "text/html; ..."),
    ("~[0-9a-f]{16}", "~[0-9a-f]{15}"),
    ("Retry-After: (none)", "Content-Type: (none)"),
    ("Retry-After: (none)", "Retry-After: ..."),
    ("Retry-After: (none)", "Retry-After: 1"),
    ("...\\nx-y: one\\n", "...\\nx-y: two\\n"),
    ("...\\nx-y: one\\n", "...\\nx-y: one"),
    ("POST /seen\\nquery a=b\\n...\\nx-y: one\\n", "(none)"),
    ('"text": "..."', '"text": "b"'),
    ('"text": "..."', '"text": "...b"'),
    ('{"times": 2, "text"', '{"text"'),
    ('{"times": 2, "text"', '{"times": 2.0, "text"'),
    ('{"times": 2, "text"', '{"times": true, "text"'),
    ('{"times": 2, "text"', '{"times": "(none)", "text"'),
    ('{"times": 2, "text"', '{"more": 1, "times": 2, "text"'),
    ('"/times: must be ... 1', '"/times: must be ... 2'),
    ('"instance": "/shout"', '"instance": "/echo"'),
    ('"instance": "/shout"', '"request_id": "another"'),
    ('"instance": "/shout"', '"title": "another"'),
    ("HTTP/1.1 422 Unprocessable Content", "HTTP/1.1 422 Unprocessable Entity"),
    ("Content-Length: 3", "Content-Length: 4"),
    ("ok\\n", "(none)"),
    ("ok\\n\n\nHTTP/1.1 200 OK\nContent-Length: 3\n", "ok\\n\n"),
    ("Content-Length: 3\n", "Content-Length: 3\n\nHTTP/1.1 200 OK\n"),
)
# Files that cannot be read: the line that is named, and words of what is said of it.
UNREADABLE = (
    ("", 1, "names no plugin"),
    (TOP, 1, "no case"),
    (TOP + "### x\n", 2, "sends nothing"),
    (TOP + "### x\nGET / HTTP/1.1\n", 2, "expects nothing"),
    (TOP + "###\nGET / HTTP/1.1\n", 2, "has a name"),
    (TOP + "GET / HTTP/1.1\n", 2, "begins with a line"),
    (TOP + "# option: x\n", 2, 'there are "# plugin: ..."'),
    (TOP + "# also: backwards\n", 2, "byte by byte"),
    (TOP + "### x\n# nothing: 1\nGET / HTTP/1.1\n", 3, "no directive"),
    (TOP + "# options: --use 'x\n", 2, "No closing quotation"),
    (TOP + "### x\n# times: 0\nGET / HTTP/1.1\n", 3, "# times: 100"),
    (TOP + "### x\n# port: back\nGET / HTTP/1.1\n", 3, "admin"),
    (TOP + "### x\n# nginx: 400 closes\nGET / HTTP/1.1\n", 3, "because"),
    (TOP + "### x\n# nginx: 200 stays open, because it does\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\n", 2, "does the same"),
    (TOP + "### x\nGET /\n\nHTTP/1.1 200 OK\n", 3, "a request begins"),
    (TOP + "### x\nGET / HTTP/1.1\nnothing\n\nHTTP/1.1 200 OK\n", 4, "not a header"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 20 OK\n", 5, "not a status line"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.0 200 OK\n", 5, "not a status line"),
    (TOP + "### x\nHTTP/1.1 200 OK\n", 3, "before any request"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\nnothing\n", 6, "not a header"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\nX: ~(\n", 6, "not a regular expression"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 404 Not Found\n\n{\n", 7, "not: "),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\nx\n", 8, "not: "),
    (TOP + "### x\nHEAD / HTTP/1.1\n\nHTTP/1.1 200 OK\n\nx\n", 7, "HEAD has no body"),
    (TOP + "### x\nGET /\\y HTTP/1.1\n\nHTTP/1.1 200 OK\n", 3, "\\y is no escape"),
    (TOP + "### x\nPOST / HTTP/1.1\n\n\\x2\n\nHTTP/1.1 200 OK\n", 5, "no escape"),
    (TOP + "### x\nPOST / HTTP/1.1\n\na\n---- body\n\nHTTP/1.1 200 OK\n", 6, '"---" begins'),
    (TOP + "### x\nGET / HTTP/1.1\n---\nHTTP/1.1 200 OK\n", 4, "is empty"),
    (TOP + "### x\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n### x\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\n", 7, "another case"),
)


class RunnerTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, text):
        path = self.folder / "x.http"
        path.write_text(text)
        return case_file.read(path)

    def run_files(self, *files):
        """The names of the cases that fail, and what is printed of them."""
        report, printed = run_http_cases.Report(), io.StringIO()
        with contextlib.redirect_stdout(printed):
            faults = run_http_cases.run(files, report)
        self.assertEqual(faults, [])
        self.assertEqual(report.passed + len(report.failures), sum(len(file.cases) for file in files))
        return [case.name for case in report.failures], printed.getvalue()


class Expectations(RunnerTest):
    def test_a_wrong_expectation_fails_its_case_and_no_other(self):
        files = [self.file(TOP + GOOD)]
        for right, wrong in WRONG:
            self.assertEqual(GOOD.count(right), 1, right)
            files.append(self.file(TOP + GOOD.replace(right, wrong)))
        failures, printed = self.run_files(*files)
        self.assertEqual(len(failures), len(WRONG), printed)

    def test_every_case_fails_with_another_status_detail_or_ending(self):
        for name in ("arrays", "chunking", "connection", "json", "routing"):
            file = case_file.read(HERE / f"{name}.http")
            file.also = ("nginx",)  # many at once, and only as they stand
            wrong = []
            for case in file.cases:
                wrong.append(replace(case, ending=OPEN if case.ending == CLOSES else CLOSES))
                for i, step in enumerate(case.steps):
                    if not isinstance(step, Expected):
                        continue
                    others = [replace(step, status=step.status + 1)]
                    if step.text is not None:
                        others.append(replace(step, text=step.text.replace('": "', '": "x', 1)
                                              if step.status >= 400 else step.text + "x"))
                    wrong += [replace(case, steps=[*case.steps[:i], other, *case.steps[i + 1:]]) for other in others]
            file.cases = wrong
            failures, _ = self.run_files(file)
            passed = {case.name for case in wrong} - set(failures)
            self.assertEqual((passed, len(failures)), (set(), len(wrong)))

    def test_a_failure_shows_the_request_and_the_difference(self):
        _, printed = self.run_files(self.file(TOP + GOOD.replace('must be ... 1', 'must be 2')))
        for words in ("x.http:", "good problem", '  > {"times":0,"text":"a"}', "--- expected\n+++ came",
                      '\n- "detail": "/times: must be 2', '\n+ "detail": "/times: must be at least 1',
                      "\n HTTP/1.1 422 Unprocessable Content"):
            self.assertIn(words, printed)


class Files(RunnerTest):
    def test_a_file_that_cannot_be_read_is_refused_with_its_line(self):
        for text, line, words in UNREADABLE:
            with self.subTest(text):
                with self.assertRaises(WrongFile) as caught:
                    self.file(text)
                said = str(caught.exception)
                self.assertTrue(said.startswith(f"{self.folder}/x.http:{line}: "), said)
                self.assertIn(words, said)

    def test_options_that_bentohost_does_not_take_are_told_with_their_case(self):
        file = self.file(TOP + "### x\n# options: --max-boby 1\nGET / HTTP/1.1\n\nHTTP/1.1 200 OK\n")
        with self.assertRaises(WrongFile) as caught:
            run_http_cases.run([file], run_http_cases.Report())
        self.assertIn("x.http:2: there is no host with --plugin ", str(caught.exception))
        self.assertIn("max-boby", str(caught.exception))

    def test_what_is_filled_in_and_what_is_not(self):
        for text, sends in (
                ("GET / HTTP/1.1\nX: y", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n"),
                ("GET / HTTP/1.1\nhost: y", b"GET / HTTP/1.1\r\nhost: y\r\n\r\n"),
                ("POST / HTTP/1.1\nHost: y\n\na\nb\n\n",
                 b"POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: y\r\n\r\na\nb"),
                ("POST / HTTP/1.1\nHost: y\nTransfer-Encoding: chunked\n\n1\\r\\na\\r\\n0\\r\\n\\r\\n",
                 b"POST / HTTP/1.1\r\nHost: y\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
                ("# as is\nGET / HTTP/1.1\n\\n\\\nX: y", b"GET / HTTP/1.1\r\n\nX: y\r\n\r\n"),
                ("# as is\nGET /\\", b"GET /"),
                ("# as is\nhello", b"hello\r\n\r\n")):
            self.assertEqual(self.file(f"{TOP}### x\n{text}\n\nHTTP/1.1 200 OK\n").cases[0].first, sends)

    def test_escapes(self):
        for text, data in ((r"\r\n\t\0\\", b"\r\n\t\0\\"), (r"\xff", b"\xff"), ("é", "é".encode()),
                           (r"\{ab * 3}", b"ababab"), (r"\{\{x * 2}\r\n * 2}", b"xx\r\nxx\r\n"),
                           (r"\\{x * 2}", b"\\{x * 2}"), ('{"a":{}}', b'{"a":{}}')):
            self.assertEqual(unescape(text), data, text)


if __name__ == "__main__":
    main()
