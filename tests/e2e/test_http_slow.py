"""Slow clients do not slow down the others: 1000 connections of slowhttptest's slow headers, slow
bodies and slow readers, and a well-behaved client beside them."""
import re
import resource
import shutil
import subprocess
import threading
import time
from pathlib import Path

from harness import EXE, SLOW, HostTest, eventually, main
from http_wire import Wire, connect, get

CONNECTIONS = 1000
ATTACK_SECONDS = 7
CALM_SECONDS = 3
RATE = 500         # requests a second of the well-behaved client
FRESH = 10         # it opens a new connection after this many requests
PATIENCE = 4       # seconds that the host waits for slow clients
ALLOWANCE = 0.25  # seconds, on a busy machine; waiting for a slow client takes a second or more
SPARE_FILES = 20   # files that the host itself may open meanwhile
ATTEMPTS = 3       # the machine may be busy; a slow host fails every attempt


class WellBehaved(threading.Thread):
    """Requests at a steady rate, and how long each took since it was due: waiting behind another request
    counts, too."""

    def __init__(self, port):
        super().__init__()
        self.port, self.took, self.failure = port, [], None
        self.is_over = threading.Event()
        self.start()

    def run(self):
        due = time.monotonic()
        try:
            while not self.is_over.is_set():
                with connect(self.port) as connection:
                    due = self.visit(Wire(connection), due)
        except Exception as failure:  # p99() raises it on the test's thread
            self.failure = failure

    def visit(self, wire, due):
        """Sends the requests of one connection, the first one due now; returns when the next one is due."""
        for _ in range(FRESH):
            wire.send(get())
            answer = wire.answer()
            if answer.status != 200:
                raise AssertionError(f"answered {answer.status}: {answer.body!r}")
            self.took.append(time.monotonic() - due)
            due += 1 / RATE
            is_over = self.is_over.wait(max(0, due - time.monotonic()))
            if is_over or answer.header("connection") == "close":
                break
        return due

    def p99(self):
        """Ends the requests; returns their p99."""
        self.is_over.set()
        self.join()
        if self.failure is not None:
            raise self.failure
        return sorted(self.took)[len(self.took) * 99 // 100]


def short_limits():
    """Every timeout option of this build, except for the graceful shutdown."""
    text = subprocess.run([EXE, "--help"], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"--([a-z-]*timeout[a-z-]*)", text)) - {"timeout-graceful-shutdown"}
    return [part for name in sorted(names) for part in (f"--{name}", str(PATIENCE))]


class Slow(HostTest):
    def setUp(self):
        if SLOW > 1:
            self.skipTest("measures latencies, and a sanitizer's are its own")
        self.program = shutil.which("slowhttptest")
        if self.program is None:
            self.skipTest("slowhttptest is not installed (Debian: apt-get install slowhttptest)")
        self.allow_files(2 * CONNECTIONS + 500)
        self.host = self.start("--access-log", "off", *short_limits())

    def allow_files(self, needed):
        """Raises the limit of this process, and so of its children."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"needs {needed} file descriptors, and only {hard} are allowed")
        if soft != resource.RLIM_INFINITY and soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def open_files(self):
        return len(list(Path(f"/proc/{self.host.serving_pid}/fd").iterdir()))

    def attack(self, path, *mode):
        """Runs slowhttptest to its end; returns the most files that the host had open meanwhile."""
        most = 0
        with subprocess.Popen(
                [self.program, *mode, "-u", f"http://127.0.0.1:{self.host.port}{path}",
                 "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(ATTACK_SECONDS)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                most = max(most, self.open_files())
                try:
                    process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    pass
        self.assertEqual(process.returncode, 0, "slowhttptest failed")
        return most

    def others_are_served(self, path, *mode):
        for _ in range(ATTEMPTS):
            files = self.open_files()
            client = WellBehaved(self.host.port)
            client.join(CALM_SECONDS)
            calm = client.p99()
            client = WellBehaved(self.host.port)
            try:
                most = self.attack(path, *mode)
            finally:
                client.is_over.set()
            beside = client.p99()
            self.assertGreater(most - files, 0.8 * CONNECTIONS, "it was not much of an attack")
            eventually(lambda: self.open_files() <= files + SPARE_FILES,
                       what="the end of all its connections")
            if beside <= 2 * calm + ALLOWANCE:
                return
        self.fail(f"p99 is {beside * 1e3:.1f} ms beside slow clients, {calm * 1e3:.1f} ms without")

    def test_slow_headers_hold_up_nobody(self):
        self.others_are_served("/livez", "-H", "-i", "1")

    def test_slow_bodies_hold_up_nobody(self):
        self.others_are_served("/repeat", "-B", "-i", "1", "-s", "8192", "-x", "10")

    def test_slow_readers_hold_up_nobody(self):
        # Ten pipelined requests each; their responses contain the path twice: 160 kB for a window of a
        # few bytes, of which the client takes one a second.
        self.others_are_served("/" + "x" * 7800, "-X", "-k", "10", "-w", "1", "-y", "16",
                               "-n", "1", "-z", "1")


if __name__ == "__main__":
    main()
