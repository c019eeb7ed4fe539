"""The cost of thousands of idle keep-alive connections, with 16 busy ones beside them."""
import socket
from contextlib import contextmanager
from typing import Iterator

from .. import load, procs
from ..figures import full
from ..load import Request
from ..markdown import Target, table
from ..results import Results, Skipped
from ..servers import NGINX
from .servers import Built, Case

KEY = "idle"
IDLE = (5_000, 10_000)
IDLE_QUICK = 200
BUSY = 16
WATCH_SECONDS = 3.0
OTHER_FILES = 512           # other files that a server has open
CONNECT_SECONDS = 2.0       # for one connection and its response
PORTS_PER_ADDRESS = 5_000   # of 127.0.0.2, .3, ...: so there are enough ports
HELD_SHARE = 0.99


def cases(built: Built) -> list[Case]:
    return [Case("bentohost", "bentohost", built.bentohost("hello")),
            Case("nginx", NGINX.label, NGINX)]


def _open_one(port: int, number: int, request: Request) -> socket.socket:
    """A connection that has had one response and is now idle."""
    client = socket.socket()
    try:
        client.settimeout(CONNECT_SECONDS)
        client.bind((f"127.0.0.{2 + number // PORTS_PER_ADDRESS}", 0))
        client.connect(("127.0.0.1", port))
        client.sendall(request.wire())
        reply = b""
        while not (b"\r\n\r\n" in reply and reply.rstrip().endswith(request.reply.encode())):
            if not (more := client.recv(4096)):
                raise ConnectionError("closed without an answer")
            reply += more
        client.setblocking(False)
        return client
    except OSError:
        client.close()
        raise


def _is_open(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def _idle(port: int, count: int, request: Request) -> Iterator[list[socket.socket]]:
    clients: list[socket.socket] = []
    try:
        for number in range(count):
            try:
                clients.append(_open_one(port, number, request))
            except OSError as error:
                raise Skipped(f"answered only {number:,} of {count:,} connections "
                              f"({error})") from error
        yield clients
    finally:
        for client in clients:
            client.close()


def _held(clients: list[socket.socket]) -> None:
    if (held := sum(map(_is_open, clients))) < HELD_SHARE * len(clients):
        raise Skipped(f"kept only {held:,} of {len(clients):,} connections open")


def _at(case: Case, count: int, seconds: float, watch_seconds: float) -> dict[str, float]:
    with procs.open_files(count + OTHER_FILES) as files:
        if files < count + OTHER_FILES:
            raise Skipped(f"{count:,} connections need {count + OTHER_FILES:,} open files; "
                          f"the limit is {files:,}")
        with case.spec.running(case.request, connections=count + BUSY) as server:
            load.check(case.label, server, case.request, BUSY)
            alone = load.measure(server, case.request, BUSY, seconds)
            server.settle()
            before_mb = procs.rss_mb(server.pid)
            with _idle(server.port, count, case.request) as clients:
                server.settle()
                idle_cpu = procs.cpu_share(server.pid, watch_seconds)
                _held(clients)
                after_mb = procs.rss_mb(server.pid)
                beside = load.measure(server, case.request, BUSY, seconds)
                _held(clients)
    return {"before_mb": before_mb, "growth_mb": after_mb - before_mb,
            "idle_percent": idle_cpu * 100, "p99_alone_ms": alone.p99_ms,
            "p99_beside_ms": beside.p99_ms, "p99_times": beside.p99_ms / alone.p99_ms,
            "rps_alone": alone.rps, "rps_beside": beside.rps,
            "errors": alone.errors + beside.errors}


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    for count in IDLE:
        yield count, _at(case, count, seconds, WATCH_SECONDS)


def quick(case: Case) -> None:
    _at(case, IDLE_QUICK, seconds=1, watch_seconds=0.5)


def targets(results: Results) -> list[Target]:
    def of(name: str) -> list:
        return [results.spread(KEY, "bentohost", IDLE[-1], name)]
    many = f"{IDLE[-1]:,} idle connections"
    return [Target(f"{many}: under 40 MB more RSS", of("growth_mb"), lambda value: value < 40),
            Target(f"{many}: idle CPU under 1 %", of("idle_percent"), lambda value: value < 1),
            Target(f"{many}: p99 of {BUSY} busy ones within 2 times that without",
                   of("p99_times"), lambda value: value <= 2)]


def section(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        for count in IDLE:
            cell = [full(results.spread(KEY, key, count, name)) for name in (
                "before_mb", "growth_mb", "idle_percent", "p99_alone_ms", "p99_beside_ms",
                "p99_times", "rps_alone", "rps_beside")]
            if cell[0]:
                rows.append([label, f"{count:,}", *cell])
    if not rows:
        return []
    return ["### Idle connections", "",
            f"Each was answered once and is then left open, beside {BUSY} busy ones. CPU is of one "
            "core, with no request in flight.", "",
            *table(["server", "idle connections", "RSS MB without", "RSS MB more", "idle CPU %",
                    f"p99 ms of {BUSY} busy without", "beside", "times", "req/s without", "beside"],
                   rows, words=1), ""]
