"""Shared by the tests of the supervisor: a load that counts the outcome of each request."""
import threading
import time
from collections import Counter

from harness import PLUGINS, HostTest, eventually

CRASHES = str(PLUGINS / "libcrashes.so")
LOST = "closed"  # the outcome of a request whose connection ended without a response


class Load:
    """Clients that request /echo without a pause, each on its own connection, which it reopens when it
    is closed. The outcome of each request is counted."""

    def __init__(self, host, path="/echo", clients=8, body="x"):
        self.host, self.path, self.body = host, path, body
        self.outcomes, self.lock = Counter(), threading.Lock()
        self.answered_at = 0.0  # when the last 200 came
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _note(self, outcome):
        with self.lock:
            self.outcomes[outcome] += 1
            if outcome == 200:
                self.answered_at = time.monotonic()

    def _ask(self):
        while not self.stopping.is_set():
            try:
                with self.host.client() as client:
                    close = False
                    while not close and not self.stopping.is_set():
                        reply = client.request("POST", self.path, self.body)
                        self._note(reply.status)
                        close = reply.header("connection") == "close"
            except ConnectionRefusedError:
                self._note("refused")
            except OSError:
                self._note(LOST)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for(100)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def wait_for(self, more):
        """Waits until this many more requests have been answered."""
        goal = self.outcomes[200] + more
        eventually(lambda: self.outcomes[200] >= goal, seconds=20, what=f"{more} answers")


class SupervisorTest(HostTest):
    def crash(self, host, how="segv"):
        """Makes the serving process crash; returns the client's response, its time, and the pid that is gone."""
        old = host.serving_pid
        began = time.monotonic()
        try:
            reply = host.post(f"/{how}", "x")
        except OSError:
            reply = None
        return reply, began, old

    def serves_again(self, host, old):
        eventually(lambda: host.serving_pids() and old not in host.serving_pids(), what="another process")
        eventually(lambda: host.post("/echo", "x").status == 200, what="an answer")
