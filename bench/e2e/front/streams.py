"""Many streams of server-sent events, ten a second each."""
import selectors
import socket
import statistics
import time
from typing import Iterator

from .. import procs
from ..figures import full
from ..load import Request
from ..markdown import Target, table
from ..results import Results, Skipped
from .servers import LIVEZ, Built, Case

KEY = "streams"
STREAMS, STREAMS_QUICK = 500, 20
EVENTS_PER_SECOND = 10
FIRST_EVENT_SECONDS = 2.0
SETTLE_SECONDS = 1.0
MARK = b"data:"
EVENTS = Request("POST", "/events", "", body="go")


class _Stream:
    """One client: counts events and the time between them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=FIRST_EVENT_SECONDS)
        self.socket.sendall(EVENTS.wire())
        self.events = 0
        self.ended = False
        self.gaps_ms: list[float] = []
        self._tail = b""
        self._last: float | None = None

    def read(self) -> int:
        """Reads what has arrived; returns the number of events in it."""
        data = self.socket.recv(65_536)
        self.ended = not data
        data = self._tail + data
        found = data.count(MARK)
        self._tail = data[-(len(MARK) - 1):]  # too short to hold a mark that was counted already
        if found:
            now = time.perf_counter()
            if self._last is not None:
                self.gaps_ms.append((now - self._last) * 1e3)
            self._last = now
        self.events += found
        return found

    def wait_first(self) -> None:
        deadline = time.perf_counter() + FIRST_EVENT_SECONDS
        while not self.events:
            self.socket.settimeout(max(0.001, deadline - time.perf_counter()))
            try:
                self.read()
            except TimeoutError:
                raise Skipped(f"no event came in {FIRST_EVENT_SECONDS:.0f} s: "
                              "it does not stream") from None
            if self.ended:
                raise Skipped("the stream ended before its first event")


class _Clients:
    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.streams: list[_Stream] = []

    def open(self, count: int) -> None:
        while len(self.streams) < count:
            stream = _Stream(self._port)
            self.streams.append(stream)
            stream.wait_first()
            stream.socket.setblocking(False)
            self._selector.register(stream.socket, selectors.EVENT_READ, stream)
            self.run(0)

    def run(self, seconds: float) -> int:
        """Reads for this long; returns the number of events that came."""
        total, until = 0, time.perf_counter() + seconds
        while True:
            left = until - time.perf_counter()
            for key, _ in self._selector.select(max(0.0, left)):
                total += key.data.read()
                if key.data.ended:
                    raise Skipped("a stream ended while it was read")
            if left <= 0:
                return total

    def close(self) -> None:
        for stream in self.streams:
            stream.socket.close()
        self._selector.close()


def cases(built: Built) -> list[Case]:
    return [Case("bentohost", "bentohost", built.bentohost("events"), LIVEZ)]


def _at(case: Case, count: int, seconds: float) -> dict[str, float]:
    with case.spec.running(case.request, connections=count) as server:
        server.settle()
        before_mb = procs.rss_mb(server.pid)
        clients = _Clients(server.port)
        try:
            clients.open(count)
            clients.run(SETTLE_SECONDS)
            for stream in clients.streams:
                stream.gaps_ms.clear()
            before, began = procs.scheduled_seconds(server.pid), time.perf_counter()
            events = clients.run(seconds)
            used = procs.scheduled_seconds(server.pid) - before
            passed = time.perf_counter() - began
            rss_mb = procs.rss_mb(server.pid)
        finally:
            clients.close()
    gaps = [gap for stream in clients.streams for gap in stream.gaps_ms]
    return {"events": events / passed, "share": events / passed / (count * EVENTS_PER_SECOND),
            "gap_p99_ms": statistics.quantiles(gaps, n=100)[-1], "cpu_percent": used / passed * 100,
            "before_mb": before_mb, "rss_mb": rss_mb}


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    yield STREAMS, _at(case, STREAMS, seconds)


def quick(case: Case) -> None:
    _at(case, STREAMS_QUICK, seconds=1)


def targets(results: Results) -> list[Target]:
    def of(name: str) -> list:
        return [results.spread(KEY, "bentohost", STREAMS, name)]
    many = f"{STREAMS} event streams"
    return [Target(f"{many}: under 25 % of a core", of("cpu_percent"), lambda value: value < 25),
            Target(f"{many}: under 40 MB RSS", of("rss_mb"), lambda value: value < 40),
            Target(f"{many}: at least 0.95 of the events in time", of("share"),
                   lambda value: value >= 0.95)]


def section(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        cell = [full(results.spread(KEY, key, STREAMS, name)) for name in (
            "events", "gap_p99_ms", "cpu_percent", "before_mb", "rss_mb")]
        if cell[0]:
            rows.append([label, str(STREAMS), *cell])
    if not rows:
        return []
    return ["### Event streams", "",
            f"Server-sent events of a raw handler, {EVENTS_PER_SECOND} a second in each stream. "
            "CPU is of one core; the time between two events of a stream should be "
            f"{1000 // EVENTS_PER_SECOND} ms.", "",
            *table(["server", "streams", "events/s", "ms between events, p99", "CPU %",
                    "RSS MB without", "RSS MB"], rows), ""]
