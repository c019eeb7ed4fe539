"""A trivial native handler, and bentohost's own /livez, beside trivial handlers of other servers."""
from typing import Iterator

from .. import load
from ..figures import full, median
from ..markdown import Target, folded, table
from ..plot import Chart, Panel, Series
from ..results import Results
from ..servers import NGINX
from .servers import HELLO_ON_A_THREAD, LIVEZ, Built, Case

KEY = "hello"
CONNECTIONS = (1, 16, 64, 256)
FLOORS = {"bentohost-livez": "nginx-get"}  # for the others: nginx with the same POST
NOT_DRAWN = {"nginx-get"}
# Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline is grey.
COLOURS = {"bentohost": "#0072B2", "bentohost-thread": "#004166", "bentohost-livez": "#56B4E9", "nginx": "#8C8C8C",
           "httplib": "#E69F00", "poco": "#D55E00", "fastify": "#009E73", "starlette": "#CC79A7"}


def cases(built: Built) -> list[Case]:
    ours = built.bentohost("hello")
    found = [Case("bentohost", "bentohost, a plugin's quick handler", ours),
             Case("bentohost-thread", "bentohost, a plugin's handler on a thread", ours,
                  HELLO_ON_A_THREAD),
             Case("bentohost-livez", "bentohost, GET /livez", ours, LIVEZ)]
    for spec in built.peers():
        found.append(Case(spec.key, spec.label, spec))
        if spec is NGINX:
            found.append(Case("nginx-get", "nginx, static reply to GET", spec, LIVEZ))
    return found


def _starts(case: Case) -> list[tuple[int, ...]]:
    """The numbers of connections to measure, grouped by start of the server."""
    if case.spec.thread_per_connection:  # so that the smaller runs do not carry threads for 256
        return [CONNECTIONS[:-1], CONNECTIONS[-1:]]
    return [CONNECTIONS]


def measure(case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
    for connections in _starts(case):
        with case.spec.running(case.request, connections=max(connections)) as server:
            server.settle()
            load.check(case.label, server, case.request)
            for number in connections:
                run = load.measure(server, case.request, number, seconds)
                yield number, {"rps": run.rps, "p50_ms": run.p50_ms, "p99_ms": run.p99_ms,
                               "cpu_us": run.cpu_us, "errors": run.errors}


def quick(case: Case) -> None:
    with case.spec.running(case.request) as server:
        load.check(case.label, server, case.request)


def targets(results: Results) -> list[Target]:
    of = lambda other, number: [results.ratio(KEY, "bentohost", other, number, "rps")]
    found = []
    for number in (64, 256):
        found.append(Target(f"trivial handler, {number} connections: at least 0.65 of nginx's "
                            "static reply", of("nginx", number), lambda value: value >= 0.65))
        found += [Target(f"trivial handler, {number} connections: at least 2 times {label}",
                         of(key, number), lambda value: value >= 2)
                  for key, label in (("httplib", "tuned cpp-httplib"), ("fastify", "Fastify"))]
        found.append(Target(f"trivial handler, {number} connections: CPU at most 2 times nginx's",
                            [results.ratio(KEY, "bentohost", "nginx", number, "cpu_us")],
                            lambda value: value <= 2))
    return found


def _summary(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        at = lambda number, name, key=key: median(results.spread(KEY, key, number, name))
        floor = FLOORS.get(key, "nginx")
        rows.append([label, " / ".join(at(number, "rps") for number in CONNECTIONS),
                     " / ".join(median(results.ratio(KEY, key, floor, number, "rps"))
                                for number in CONNECTIONS),
                     " / ".join(at(number, "cpu_us") for number in CONNECTIONS), at(1, "p50_ms"),
                     *(f"{at(number, 'p50_ms')} / {at(number, 'p99_ms')}" for number in (64, 256))])
    each = " / ".join(map(str, CONNECTIONS))
    return table(["server", f"req/s at {each}", "of nginx", "CPU µs/req", "p50 ms at 1",
                  "p50 / p99 ms at 64", "at 256"], rows)


def _details(results: Results) -> list[str]:
    rows = []
    for key, label in results.labels[KEY].items():
        for number in CONNECTIONS:
            cell = [results.spread(KEY, key, number, name)
                    for name in ("rps", "p50_ms", "p99_ms", "cpu_us")]
            if cell[0] is not None:
                ratio = results.ratio(KEY, key, FLOORS.get(key, "nginx"), number, "rps")
                rows.append([label, str(number), *map(full, cell), full(ratio)])
    return table(["server", "connections", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "of nginx"],
                 rows, words=2)


def section(results: Results) -> list[str]:
    errors = sum(sample.figures["errors"] for sample in results.samples if sample.scenario == KEY)
    return ["### A trivial handler", "",
            "POST /hello with a body of 5 bytes, answered with 5 bytes; \"of nginx\" is relative to "
            "nginx's static reply to the same request in the same round. "
            f"Errors in all runs together: {errors:.0f}.", "",
            "![Requests per second, p99 latency and CPU per request, by server and connections]"
            "(front.svg)", "", *_summary(results), "",
            *folded("Every cell: the median of the rounds (lowest–highest)", _details(results))]


def chart(results: Results) -> Chart:
    drawn = {key: label for key, label in results.labels.get(KEY, {}).items()
             if key not in NOT_DRAWN}

    def panel(title: str, figure: str) -> Panel:
        return Panel(title, [
            (f"{number} connection{'s' if number > 1 else ''}",
             {key: results.spread(KEY, key, number, figure) for key in drawn})
            for number in CONNECTIONS])
    return Chart(
        "The least answer over HTTP: bentohost beside other servers",
        f"Logarithmic scales. No access logs. Bars: medians of {results.rounds(KEY)} rounds; "
        "thin lines: lowest to highest.",
        [Series(key, label, COLOURS[key]) for key, label in drawn.items()],
        [panel("Requests per second: higher is better", "rps"),
         panel("p99 latency, ms: lower is better", "p99_ms"),
         panel("CPU of the server per request, µs: lower is better", "cpu_us")], width=1160)
