"""Stock middleware and background tasks do what Starlette's do: the same requests to both, side by side.

Starlette is Debian's package; without it the test is skipped.
"""
import json
import sys
import threading
import unittest
import zlib
from pathlib import Path

from harness import PLUGINS, HostTest, eventually, main

DEBIAN = "/usr/lib/python3/dist-packages"  # for a python3 that is not Debian's own
if DEBIAN not in sys.path and Path(DEBIAN, "starlette").is_dir():
    sys.path.append(DEBIAN)
try:
    from starlette_app import App
except ImportError as error:
    App, WHY = None, f"no Starlette to compare with ({error}): apt-get install python3-starlette"
else:
    WHY = ""
    import starlette

    VERSION = tuple(int(number) for number in starlette.__version__.split(".")[:2])
from starlette_cases import GROUPS

ANSWERS = str(PLUGINS / "libanswers.so")
COMPARED = {"content-type", "content-encoding", "content-length", "vary", "location"}


def fields(status, headers, body):
    """The compared parts of a response: one value for each field, and the encoded body."""
    found = {"status": status, "body": body}
    for name, value in headers:
        name = name.lower()
        if name in COMPARED or name.startswith("access-control-"):
            found[name] = f"{found[name]}, {value}" if name in found else value
    if found.get("content-encoding") == "gzip":
        found.pop("content-length", None)  # the zlib versions may differ
        found["body"] = zlib.decompress(body, 31) if body else b""
    return found


@unittest.skipIf(App is None, WHY)
class AsStarlette(HostTest):
    def start_with(self, uses):
        arguments = [part for name, options in uses for part in ("--use", f"{name}={json.dumps(options)}")]
        return self.start(*arguments, plugin=ANSWERS)

    def compare(self, host, app, case):
        reply = host.request(case.method, case.path, headers=case.headers)
        ours = fields(reply.status, reply.headers, reply.body)
        theirs = fields(*app.call(case.method, case.path, case.headers, ("127.0.0.1", host.port)))
        for field, (value, _, *mended) in case.ours.items():
            if not mended or VERSION < mended[0]:
                self.assertNotEqual(theirs.get(field), value,
                                    f"{field}: Starlette {VERSION} does not differ any more")
                theirs[field] = value
        if theirs.get("content-length") is None:  # a streamed response may be whole here: the host does the framing
            ours.pop("content-length", None)
        if theirs["body"] is None:
            ours.pop("body")
        self.assertEqual(ours, {field: value for field, value in theirs.items() if value is not None})

    def test_the_same_requests_have_the_same_answers(self):
        for title, uses, cases in GROUPS:
            host, app = self.start_with(uses), App(uses)
            for case in cases:
                with self.subTest(group=title, method=case.method, path=case.path, headers=case.headers):
                    self.compare(host, app, case)
            host.stop()

    def done_by(self, names):
        """The final results of the tasks: of bentohost, and of Starlette."""
        host, app = self.start_with([]), App()
        self.assertEqual(host.get(f"/tasks/{names}").body, b"accepted")
        app.call("GET", f"/tasks/{names}", {}, None)
        done = []

        def all_done():
            done.extend(host.get("/done").body.decode().split())
            return len(done) >= len(app.done)

        eventually(all_done, what="all that Starlette's tasks did")
        self.assertEqual(host.stop(), 0)  # waits for running tasks
        return done, app.done

    def test_tasks_run_in_order(self):
        ours, theirs = self.done_by("a,b,c,d")
        self.assertEqual(ours, theirs)
        self.assertEqual(ours, ["a", "b", "c", "d"])

    def test_a_task_that_fails_ends_the_row_and_leaves_the_answer(self):
        ours, theirs = self.done_by("a,fails,c")
        self.assertEqual(ours, theirs)
        self.assertEqual(ours, ["a"])

    def test_an_answer_does_not_wait_for_its_tasks(self):
        host, app = self.start_with([]), App()
        self.assertEqual(host.get("/tasks/waits,b").body, b"accepted")
        self.assertEqual(host.get("/done").body, b"")
        host.get("/release")
        done = []
        eventually(lambda: done.extend(host.get("/done").body.decode().split()) or len(done) == 2,
                   what="the tasks")
        self.assertEqual(done, ["waits", "b"])

        done_when_sent = []

        def sent():
            done_when_sent.append(list(app.done))
            app.released.set()

        caller = threading.Thread(target=app.call, args=("GET", "/tasks/waits,b", {}, None, sent))
        caller.start()
        caller.join(timeout=30)
        self.assertEqual((done_when_sent, app.done), ([[]], done))


if __name__ == "__main__":
    if WHY:
        print(WHY, flush=True)
    main()
