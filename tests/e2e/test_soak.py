"""Everything at once, for a while: reloads, killed runners and clients that leave, at half load.

Nothing may fail, and neither memory nor descriptors may grow. BENTO_SOAK_MINUTES=10 is a soak; without it
this runs for some seconds, to keep it working.
"""
import itertools
import os
import random
import re
import signal
import socket
import threading
import time
from pathlib import Path

from harness import SLOW, eventually, main
from test_reload import Load, Reloads

MINUTES = float(os.environ.get("BENTO_SOAK_MINUTES", "0.1"))
RELOAD_EVERY, KILL_EVERY, LEAVE_EVERY, LOOK_EVERY = 0.5, 1.3, 0.02, 2.0  # seconds
CLIENTS = 4  # in Python, some thousand requests a second
MAX_GROWTH_KB = 4096


class Beside:
    """Calls a function again and again on its own thread, until the end; keeps what it raised."""

    def __init__(self, every, function):
        self.over, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self._run, args=(every, function))
        self.thread.start()

    def _run(self, every, function):
        try:
            while not self.over.wait(every):
                function()
        except BaseException as error:
            self.error = error

    def stop(self):
        self.over.set()
        self.thread.join()
        if self.error:
            raise self.error


class Soak(Reloads):
    def look(self):
        """Memory and descriptors of the serving process."""
        pid = self.host.serving_pid
        rss = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        return rss, len(os.listdir(f"/proc/{pid}/fd"))

    def reload_next(self):
        self.link(1 + next(self.versions) % 2)
        reply = self.reload()
        self.assertEqual(reply.status, 200, reply.body)

    def kill_a_runner(self):
        for pid in self.host.runners().get("version_runner", [])[:1]:
            os.kill(pid, signal.SIGKILL)

    def leave(self):
        """Leaves in the middle of a head, of a body, or of a response."""
        data = random.choice((b"GET /vers", b"POST /direct HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[[",
                              b"POST /direct HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[[0]]",
                              b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"))
        with socket.create_connection(("127.0.0.1", self.host.port), timeout=10 * SLOW) as connection:
            connection.sendall(data)

    def settled(self):
        """Waits until no request is in flight."""
        eventually(lambda: all(s in ("unmapped", "serving") for s in self.states()), seconds=30)
        eventually(lambda: self.host.metrics()["bentohost_http_connections"] <= 2, seconds=30)
        return self.look()

    def test_nothing_fails_and_nothing_grows(self):
        self.host = self.serve("--reload-unmap", "--access-log", "off", "--runner-workers", "2")
        self.versions = itertools.count()
        for _ in range(5):
            self.reload_next()
        deadline = time.monotonic() + 60 * MINUTES
        warm_until = time.monotonic() + min(60.0, 20 * MINUTES)
        load = Load(self.host, CLIENTS)
        beside = [Beside(RELOAD_EVERY, self.reload_next), Beside(KILL_EVERY, self.kill_a_runner),
                  Beside(LEAVE_EVERY, self.leave)]
        first, seen = None, []
        try:
            while time.monotonic() < deadline and not any(b.error for b in beside) and not load.wrong:
                beside[0].over.wait(LOOK_EVERY)
                if time.monotonic() >= warm_until:
                    seen.append(self.look())
                    first = first or seen[0]
        finally:
            for each in beside:
                each.stop()
            answers = load.stop()
        rss, descriptors = self.settled()
        reloads = self.plugins()["versioned"]["reloads"]
        print(f"\n{answers} answers, {reloads} reloads; RSS {first[0]} -> {rss} KB, most "
              f"{max(r for r, _ in seen)}; descriptors {descriptors}")
        self.assertGreater(answers, 0)
        self.assertLess(rss - first[0], MAX_GROWTH_KB * SLOW)
        self.assertLess(descriptors, 64)
        self.assertEqual(len(self.host.runners()["version_runner"]), 2)


if __name__ == "__main__":
    main()
