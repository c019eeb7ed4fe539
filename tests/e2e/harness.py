"""Drives the real bentohost from outside: starts it on port 0, talks HTTP to it, inspects its processes.

Run a test file as `python3 test_x.py BUILD_DIR [unittest options]`. Nothing here sleeps for a fixed time:
eventually() polls a condition until its deadline.
"""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

BUILD = Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build").resolve()
if not (BUILD / "CMakeCache.txt").exists():
    sys.exit(f"{BUILD} is not the folder of a build: {sys.argv[0]} needs one as its first argument")
SOURCE = Path(__file__).resolve().parents[2]
EXE = BUILD / "bin" / "bentohost"
PLUGINS = BUILD / "tests" / "plugins"
LAB = str(PLUGINS / "liblab.so")
# The test plugins die of real signals: a sanitizer must not turn these into exit codes.
for sanitizer in ("ASAN", "TSAN"):
    os.environ[sanitizer + "_OPTIONS"] = ":".join(
        filter(None, (os.environ.get(sanitizer + "_OPTIONS"), "handle_segv=0", "handle_abort=0")))
IS_SANITIZED = "BENTO_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text()
# Sanitized builds are several times slower.
SLOW = 5 if IS_SANITIZED else 1
# Seconds that "at once" may take on a busy machine. The alternative, a timeout or a handler that hangs,
# takes longer still.
AT_ONCE = 10 * SLOW


def eventually(condition, seconds=10.0, what="a condition"):
    """The first true value of condition(); AssertionError when the time is over."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds * SLOW} s")
        time.sleep(0.002)


def children_of(pid):
    """The pids of a process's children, including zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def command_line(pid):
    """The words of a process's command line; none when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    return []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_pending(number, pid):
    """Is this signal still pending for the process? False when the process is gone."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return any(int(mask, 16) >> (number - 1) & 1 for mask in re.findall(r"(?:SigPnd|ShdPnd):\s*(\w+)", status))
    return False


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return dict((k.lower(), v) for k, v in self.headers).get(name.lower())

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


def samples_of(metrics):
    """The values of the metrics in a reply to GET /metrics, by name and labels."""
    samples = {}
    for line in metrics.body.decode().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            samples[name] = float(value)
    return samples


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection_to(url, timeout, tls=None):
    """A connection to an address of a ready line: http://HOST:PORT, https://HOST:PORT, or unix:PATH."""
    if url.startswith("unix:"):
        return UnixConnection(url.removeprefix("unix:"), timeout)
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=tls)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


class Client:
    """One keep-alive connection. `where` is a URL, or a port of 127.0.0.1."""

    def __init__(self, where, timeout=30, tls=None):
        url = where if isinstance(where, str) else f"http://127.0.0.1:{where}"
        self.connection = connection_to(url, timeout * SLOW, tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, method, path, body=None, headers=None):
        if isinstance(body, (list, dict)):
            body = json.dumps(body)
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())

    def close(self):
        self.connection.close()


class Host:
    """A running bentohost. With ready=False the constructor does not wait until it is ready.

    `pid` is the supervisor; the process `serving_pid` serves the clients.

    `listen` has the options for its addresses, `launcher` is a command that executes it, `pass_fds` are descriptors
    that it inherits, and `tls` is an SSLContext for its clients. With deaf=True nobody reads its output.
    """
    tls = None

    def __init__(self, *arguments, plugin=LAB, ready=True, env=None, cwd=None, own_group=False,
                 launcher=(), deaf=False, listen=("--port", "0"), pass_fds=(), tls=None):
        plugins = ["--plugin", plugin] if plugin else []
        self.stderr_lines, self.stdout_lines = [], []
        self.tls = tls
        self.process = subprocess.Popen(
            [*launcher, EXE, *plugins, *listen, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, errors="replace", cwd=cwd,
            start_new_session=own_group, pass_fds=pass_fds, env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.readers = [threading.Thread(target=self._collect, args=pair, daemon=True) for pair in
                        ((self.process.stdout, self.stdout_lines), (self.process.stderr, self.stderr_lines))
                        if not deaf]
        for reader in self.readers:
            reader.start()
        self.port = None
        if ready:
            try:
                self.wait_ready()
            except BaseException:  # nobody else knows of it, and its children end with it
                self.process.kill()
                self.process.wait()
                raise

    def serving_pids(self):
        """The processes that serve, or are about to, the oldest first; with --no-supervisor the only
        process."""
        if b"--no-supervisor" in command_line(self.pid):
            return [self.pid]
        own = command_line(self.pid)[1:]
        return sorted(pid for pid in children_of(self.pid)
                      if is_alive(pid) and own and command_line(pid)[1:] == own)

    @property
    def serving_pid(self):
        return eventually(self.serving_pids, what="a serving process")[-1]

    def serving_children(self):
        """The pids of its probes and runners."""
        return [child for pid in self.serving_pids() for child in children_of(pid)]

    def descendants(self):
        """The pids of all its descendants."""
        found = children_of(self.pid)
        for pid in found:  # grows as it is walked
            found.extend(children_of(pid))
        return found

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def _ready_line(self):
        if self.process.poll() is not None:
            raise AssertionError(f"bentohost ended with {self.process.returncode}: {self.stderr()}")
        return next((line for line in self.stdout_lines
                     if " (ready in " in line or '"message":"ready"' in line), None)

    def wait_ready(self):
        # Many hosts may start at once, on a machine that has other things to do.
        line = eventually(self._ready_line, seconds=60, what="the ready line")
        self.urls = re.findall(r"(?:https?://|unix:)[^ ,\"]+", line)
        match = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
        self.port = int(match[1]) if match else None
        return self

    def listening_ports(self):
        """The ports of TCP over IPv4, ascending."""
        inodes, ports = set(), []
        for fd in Path(f"/proc/{self.serving_pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(fd)))
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.append(int(fields[1].split(":")[1], 16))
        return sorted(ports)

    def find_port(self):
        """The port of a host that is not ready yet: it listens from the beginning."""
        self.port = eventually(self.listening_ports, what="a listening socket")[0]
        return self

    def stderr(self):
        return "\n".join(self.stderr_lines)

    def log_line(self, words):
        """Waits for the first line of its log with these words."""
        return eventually(lambda: next((line for line in self.stderr_lines if words in line), None),
                          what=f'"{words}" in the log')

    def client(self, timeout=30):
        scheme = "https" if self.tls else "http"
        return Client(f"{scheme}://127.0.0.1:{self.port}", timeout, self.tls)

    def request(self, method, path, body=None, headers=None):
        client = self.client()
        try:
            return client.request(method, path, body, headers)
        finally:
            client.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def runners(self):
        """The pids of the living runner processes, by runner name: {"worker": [123]}."""
        found = {}
        for pid in self.serving_children():
            line = command_line(pid)
            if len(line) > 3 and line[1] == b"runner" and is_alive(pid):
                found.setdefault(line[3].decode(), []).append(pid)
        return found

    def metrics(self):
        """Each sample's value by its name and labels, as written in the text."""
        return samples_of(self.get("/metrics"))

    def stop(self, number=signal.SIGTERM):
        """Stops it and returns the exit code; all processes that it started must be gone."""
        children = self.descendants()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.close_streams()
        eventually(lambda: not any(is_alive(pid) for pid in children), what="the end of all children")
        return code

    def close_streams(self):
        for reader in self.readers:
            reader.join(timeout=10)
        self.process.stdout.close()
        self.process.stderr.close()


class Run:
    """bentohost, run to its end."""

    def __init__(self, *arguments, timeout=30, cwd=None, launcher=(), pass_fds=(),
                 before=None):
        began = time.monotonic()
        process = subprocess.Popen([*launcher, EXE, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                   cwd=cwd, pass_fds=pass_fds, preexec_fn=before,
                                   start_new_session=True)
        self.pid = process.pid
        try:
            self.stdout, self.stderr = process.communicate(timeout=timeout * SLOW)
        except subprocess.TimeoutExpired as error:
            process.terminate()
            raise AssertionError(f"it did not end but said: {process.communicate()}") from error
        self.returncode, self.seconds = process.returncode, time.monotonic() - began

    def children_left(self):
        """The processes that are left of its session."""
        left = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.pid and fields[0] != "Z":
                    left.append(command_line(int(stat.parent.name)))
        return left


class HostTest(unittest.TestCase):
    """Starts hosts. At the end of the test they are stopped, and must end cleanly."""

    def start(self, *arguments, **options):
        host = Host(*arguments, **options)
        self.addCleanup(self._stop, host)
        return host

    def _stop(self, host):
        if host.process.returncode is None:
            if host.process.poll() is None:  # otherwise stop() reports how it ended
                eventually(lambda: all(is_alive(pid) for pid in host.descendants()),
                           what="the reaping of all dead children")
            code = host.stop()
            self.assertEqual(code, 0, host.stderr())
        else:
            host.close_streams()
        for mark in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"):
            self.assertNotIn(mark, host.stderr())

    def assert_refused(self, done, *words, code=1, within=AT_ONCE):
        """Asserts that this Run ended soon, printed one line, and left nothing behind; returns the line."""
        message = [line for line in done.stderr.splitlines() if line.startswith("bentohost: ")]
        self.assertEqual(len(message), 1, done.stderr)
        for word in words:
            self.assertIn(word, message[0])
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertLess(done.seconds, within)
        self.assertEqual(done.children_left(), [])
        return message[0]

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)


def in_parallel(jobs):
    """Runs the callables on a thread each; returns their results in order, raising the first exception."""
    results, errors = [None] * len(jobs), []

    def run(i, job):
        try:
            results[i] = job()
        except BaseException as error:  # raised for the caller below
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def main():
    unittest.main(module="__main__", verbosity=1)
