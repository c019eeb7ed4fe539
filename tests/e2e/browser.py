"""A headless Chromium, driven through its DevTools protocol over a pair of pipes: no port, no library."""
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ANSWER_SECONDS = 60
MISSING = "there is no chromium here: packaging/install.sh test-browser"


class Browser:
    """One page, as a context manager."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self.commands = os.pipe()
        self.messages, messages = os.pipe()
        # Chromium expects the pipes as its descriptors 3 and 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{messages}', "bash", PROGRAM, "--headless", "--no-sandbox",
             "--disable-gpu", "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}",
             "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(commands, messages))
        os.close(commands)
        os.close(messages)
        self.ids, self.received, self.session = itertools.count(1), b"", None
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.commands)  # this ends Chromium
        self.process.wait(timeout=60)
        os.close(self.messages)
        self.profile.cleanup()

    def call(self, method, **parameters):
        message = {"id": next(self.ids), "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self.read_message())
            if answer.get("id") == message["id"]:
                return answer["result"]

    def read_message(self):
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.messages], [], [], ANSWER_SECONDS)
            piece = os.read(self.messages, 65536) if ready else b""
            if not piece:
                raise AssertionError("chromium has ended" if ready else "chromium does not answer")
            self.received += piece
        message, _, self.received = self.received.partition(b"\0")
        return message

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        """The value of the expression in the page; None if it throws, as it does before the page is loaded."""
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")
