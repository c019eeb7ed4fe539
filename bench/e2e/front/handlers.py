"""An iris row through each form of an API: what a coroutine costs beside direct, and beside a thread."""
from typing import Iterator

from .. import load
from ..figures import full, median
from ..load import Request
from ..markdown import Target, folded, table
from ..results import Results
from ..servers import NGINX
from .servers import Built, Case

KEY = "handlers"
CONNECTIONS = (1, 16, 64)
DIRECT = "direct"


def _iris(path: str) -> Request:
    return Request("POST", path, "[0]", body="[[4.9,3.0,1.4,0.2]]", content_type="application/json")


def cases(built: Built) -> list[Case]:
    ours = built.bentohost("handlers")
    return [Case(DIRECT, "direct", ours, _iris("/direct")),
            Case("coroutine", "coroutine", ours, _iris("/coroutine")),
            Case("two_calls", "coroutine, two calls at once", ours, _iris("/two_calls")),
            Case("thread", "handler on a thread", ours, _iris("/thread")),
            Case("nginx", NGINX.label, NGINX, _iris("/direct"))]


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    with case.spec.running(case.request, connections=max(CONNECTIONS)) as server:
        server.settle()
        load.check(case.label, server, case.request)
        for number in CONNECTIONS:
            run = load.measure(server, case.request, number, seconds)
            yield number, {"rps": run.rps, "p50_ms": run.p50_ms, "p99_ms": run.p99_ms,
                           "cpu_us": run.cpu_us, "errors": run.errors}


def quick(case: Case) -> None:
    with case.spec.running(case.request) as server:
        load.check(case.label, server, case.request)


def _more_cpu(results: Results) -> list:
    return [results.difference(KEY, "coroutine", DIRECT, 64, "cpu_us")]


def targets(results: Results) -> list[Target]:
    return [Target("a coroutine that calls a runner, 64 connections: at least 0.93 of the direct "
                   "API's throughput", [results.ratio(KEY, "coroutine", DIRECT, 64, "rps")],
                   lambda value: value >= 0.93),
            Target("the same: at most 3 µs more CPU a request", _more_cpu(results),
                   lambda value: value <= 3)]


def section(results: Results) -> list[str]:
    rows, details = [], []
    for key, label in results.labels[KEY].items():
        if results.spread(KEY, key, 64, "rps") is None:
            continue
        each = lambda figure, other=None, key=key: " / ".join(
            median(results.spread(KEY, key, number, figure) if other is None else
                   results.ratio(KEY, key, other, number, figure)) for number in CONNECTIONS)
        rows.append([label, each("rps"), each("rps", DIRECT), each("rps", "nginx"), each("cpu_us"),
                     each("p50_ms"), each("p99_ms")])
        for number in CONNECTIONS:
            details.append([label, str(number),
                            *(full(results.spread(KEY, key, number, figure))
                              for figure in ("rps", "p50_ms", "p99_ms", "cpu_us")),
                            full(results.ratio(KEY, key, DIRECT, number, "rps"))])
    if not rows:
        return []
    at = " / ".join(map(str, CONNECTIONS))
    return ["### The forms of an API", "",
            f"One iris row, at {at} connections; \"of direct\" and \"of nginx\" are ratios within a round. "
            "CPU is of the host with its runner.", "",
            *table(["form", "req/s", "of direct", "of nginx", "CPU µs/req", "p50 ms", "p99 ms"], rows),
            "", *folded("Every cell: the median of the rounds (lowest–highest)",
                        table(["form", "connections", "req/s", "p50 ms", "p99 ms", "CPU µs/req",
                               "of direct"], details, words=2))]
