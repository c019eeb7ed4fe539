"""Starts `python -m bento_wsgi` for a program that a test gives as text, and talks HTTP/1.1 to it byte by byte."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

SDK = Path(__file__).resolve().parents[2] / "sdk" / "python"
AT_ONCE = 60  # seconds that anything may take on a busy machine


def eventually(condition, what):
    deadline = time.monotonic() + AT_ONCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.005)


class Reply:
    def __init__(self, status, headers, body, is_whole):
        self.status = status
        self.headers = headers  # [(name in lower case, value)]
        self.body = body
        self.is_whole = is_whole

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} is given {len(values)} times"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()


class Connection:
    """A client that reads strictly: what is not a whole response of HTTP/1.1 fails the test, or is not whole."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(AT_ONCE)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.received = b""
        self.is_over = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def ask(self, target="/", method="GET", headers=(), body=None):
        """A request as the host sends it."""
        lines = [f"{method} {target} HTTP/1.1"]
        named = {name.lower() for name, _ in headers}
        for name, value in (("Host", "example.org"), ("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "http")):
            if name.lower() not in named:
                lines.append(f"{name}: {value}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return self.send("\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b""))

    def ask_in_chunks(self, chunks, target="/", end=b"0\r\n\r\n"):
        self.ask(target, "POST", [("Transfer-Encoding", "chunked")])
        for chunk in chunks:
            self.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        return self.send(end)

    def _more(self):
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.received += data
        self.is_over = self.is_over or not data
        return bool(data)

    def _take(self, size):
        while len(self.received) < size and self._more():
            pass
        data, self.received = self.received[:size], self.received[size:]
        return data

    def line(self):
        while b"\r\n" not in self.received:
            if not self._more():
                raise EOFError(f"closed after {self.received!r}")
        line, _, self.received = self.received.partition(b"\r\n")
        return line.decode("latin-1")

    def head(self):
        version, status, _ = self.line().split(" ", 2)
        assert version == "HTTP/1.1", version
        headers = []
        for line in iter(self.line, ""):
            name, colon, value = line.partition(": ")
            assert colon and name == name.strip(), line
            headers.append((name.lower(), value))
        return Reply(int(status), headers, b"", True)

    def block(self):
        """The next chunk; None when the connection breaks off."""
        try:
            size = int(self.line(), 16)
        except EOFError:
            return None
        data = self._take(size)
        if len(data) < size or self._take(2) != b"\r\n":
            return None
        return data

    def reply(self, is_head=False):
        reply = self.head()
        length, coding = reply.header("content-length"), reply.header("transfer-encoding")
        assert length is None or coding is None
        if is_head or reply.status in (204, 304):
            return reply
        if coding is not None:
            assert coding == "chunked"
            block = self.block()
            while block:
                reply.body += block
                block = self.block()
            reply.is_whole = block is not None
        else:
            assert length is not None, "neither Content-Length nor chunks"
            reply.body = self._take(int(length))
            reply.is_whole = len(reply.body) == int(length)
        return reply

    def is_closed(self):
        """Closed by the worker, with no byte more? Waits for either."""
        return not self.received and not self._more()

    def can_be_used(self, target="/"):
        """Does it answer another request?"""
        try:
            self.ask(target)
            return self.reply().status == 200
        except (OSError, EOFError):
            return False


class Worker:
    """`program` is written to the file `name`; `files` are copied beside it. `command`: another server than ours, with
    SOCKET in place of its path."""

    def __init__(self, program, *options, app="app:app", name="app.py", files=(), command=()):
        self.folder = tempfile.mkdtemp(prefix="bento_wsgi_test_")
        self.socket = os.path.join(self.folder, "worker.sock")
        self.log = Path(self.folder, "stderr")
        if program is not None:
            Path(self.folder, name).write_text(textwrap.dedent(program))
        for file in files:
            shutil.copy(file, self.folder)
        command = command or ("bento_wsgi", "--app", app, "--unix", "SOCKET", *options)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m"] + [self.socket if word == "SOCKET" else word for word in command], cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(SDK), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=log, stderr=log)

    def wait_until_ready(self):
        eventually(lambda: self.is_ready() or self.process.poll() is not None, "readiness")
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.stderr()}")
        return self

    def is_ready(self):
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def connect(self):
        return Connection(self.socket)

    def ask(self, *arguments, **named):
        """One request on a connection of its own."""
        with self.connect() as connection:
            connection.ask(*arguments, **named)
            return connection.reply(is_head="HEAD" in arguments)

    def stderr(self):
        return self.log.read_text()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(AT_ONCE)

    def memory(self):
        """Bytes of RSS at most so far."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class WorkerTest(unittest.TestCase):
    def start(self, program, *options, **named):
        """A worker that runs, or has ended, until the test is over."""
        worker = Worker(program, *options, **named)
        self.addCleanup(worker.close)
        return worker

    def serve(self, program, *options, **named):
        return self.start(program, *options, **named).wait_until_ready()
