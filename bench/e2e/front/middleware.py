"""The cost of middleware around the cheapest real API: iris, which holds no thread."""
from typing import Iterator

from .. import load
from ..figures import full
from ..markdown import Target, table
from ..results import Results
from .servers import IRIS, Built, Case

KEY = "middleware"
CONNECTIONS = 64
FIVE = ('trusted_host={"allowed_hosts":["127.0.0.1"]}',
        'cors={"access_control_allow_origins":["https://example.com"]}', "gzip", "secure_headers",
        'rate_limit={"rate":1000000,"burst":1000000}')


def cases(built: Built) -> list[Case]:
    return [Case("none", "none", built.with_middleware(), IRIS),
            Case("empty", "an empty one", built.with_middleware("empty"), IRIS),
            Case("five", "trusted_host, cors, gzip, secure_headers and rate_limit",
                 built.with_middleware(*FIVE), IRIS)]


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    with case.spec.running(case.request, connections=CONNECTIONS) as server:
        server.settle()
        load.check(case.label, server, case.request)
        run = load.measure(server, case.request, CONNECTIONS, seconds)
        yield CONNECTIONS, {"rps": run.rps, "p50_ms": run.p50_ms, "p99_ms": run.p99_ms,
                            "cpu_us": run.cpu_us, "errors": run.errors}


def quick(case: Case) -> None:
    with case.spec.running(case.request) as server:
        load.check(case.label, server, case.request)


def targets(results: Results) -> list[Target]:
    ratio = lambda key: [results.ratio(KEY, key, "none", CONNECTIONS, "rps")]
    return [Target("five middlewares around iris: at least 0.9 of the throughput without",
                   ratio("five"), lambda value: value >= 0.9),
            Target("an empty middleware around iris: at least 0.99 of the throughput without",
                   ratio("empty"), lambda value: value >= 0.99)]


def section(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        cell = [full(results.spread(KEY, key, CONNECTIONS, name))
                for name in ("rps", "p50_ms", "p99_ms", "cpu_us")]
        if cell[0]:
            rows.append([label, *cell,
                         full(results.ratio(KEY, key, "none", CONNECTIONS, "rps"))])
    if not rows:
        return []
    return ["### Middleware", "",
            f"POST /classify of the iris sample at {CONNECTIONS} connections, with middleware in "
            "hooks around it (`--use`).", "",
            *table(["middleware", "req/s", "p50 ms", "p99 ms", "CPU µs/req",
                    "of without"], rows), ""]
