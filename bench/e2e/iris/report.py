"""The suite's section of RESULTS.md."""
from ..figures import Spread, full, median
from ..markdown import Target, folded, table
from .results import CONNECTIONS, LOG_MODES, Results

SUBJECT, FLOOR = "bentohost", "nginx"
EACH = " / ".join(map(str, CONNECTIONS))


def _summary(results: Results, log: str) -> list[str]:
    rows = []
    for server, label in results.labels.items():
        at = lambda number, name: median(results.cell(server, log, number, name))
        rows.append([label, " / ".join(at(number, "rps") for number in CONNECTIONS),
                     at(1, "p50_ms"),
                     *(f"{at(number, 'p50_ms')} / {at(number, 'p99_ms')}" for number in (64, 256)),
                     at(64, "cpu_us"), median(results.ratio(server, FLOOR, log, 64)),
                     median(results.life(server, log, "rss_mb")),
                     median(results.life(server, log, "pss_mb")),
                     median(results.life(server, log, "ready_ms")),
                     median(results.life(server, log, "idle_cpu_ms"))])
    return [f"### Access log {log}", "", *table(
        ["server", f"req/s at {EACH}", "p50 ms at 1", "p50 / p99 ms at 64", "at 256",
         "CPU µs/req at 64", "of nginx at 64", "RSS MB", "PSS MB", "ready ms", "idle CPU ms/s"],
        rows), ""]


def _details(results: Results) -> list[str]:
    rows = []
    for server, label in results.labels.items():
        for log in LOG_MODES:
            for connections in CONNECTIONS:
                cell = [results.cell(server, log, connections, name)
                        for name in ("rps", "p50_ms", "p99_ms", "cpu_us")]
                if cell[0] is not None:
                    ratio = results.ratio(server, FLOOR, log, connections)
                    rows.append([label, log, str(connections), *map(full, cell), full(ratio)])
    return folded("Every cell: the median of the rounds (lowest–highest)",
                  table(["server", "access log", "connections", "req/s", "p50 ms", "p99 ms",
                         "CPU µs/req", "of nginx"], rows, words=3))


def _targets(results: Results) -> list[str]:
    def cell(connections: int, name: str) -> list[Spread | None]:
        return [results.cell(SUBJECT, log, connections, name) for log in LOG_MODES]

    def life(name: str) -> list[Spread | None]:
        return [results.life(SUBJECT, log, name) for log in LOG_MODES]

    def ratio(other: str, connections: int, name: str = "rps") -> list[Spread | None]:
        return [results.ratio(SUBJECT, other, log, connections, name) for log in LOG_MODES]

    targets = [Target("64 connections: at least 0.6 of nginx's static reply", ratio(FLOOR, 64),
                      lambda value: value >= 0.6),
               Target("64 connections: at least 0.25 of nginx's static reply", ratio(FLOOR, 64),
                      lambda value: value >= 0.25)]
    targets += [Target(f"64 connections: at least 8 times {label}", ratio(peer, 64),
                       lambda value: value >= 8)
                for peer, label in results.labels.items() if peer.startswith("fastapi")]
    targets += [
        Target("64 connections: CPU of host and runner under 12 µs a request", cell(64, "cpu_us"),
               lambda value: value < 12),
        Target("64 connections: p99 under 3 ms", cell(64, "p99_ms"), lambda value: value < 3),
        Target("64 connections: p99 under 5 ms", cell(64, "p99_ms"), lambda value: value < 5),
        Target("1 connection: p50 within 1.3 times nginx's", ratio(FLOOR, 1, "p50_ms"),
               lambda value: value <= 1.3),
        Target("1 connection: p50 under 0.2 ms", cell(1, "p50_ms"), lambda value: value < 0.2),
        Target("ready in under 100 ms", life("ready_ms"), lambda value: value < 100),
        Target("host and runner under 30 MB RSS", life("rss_mb"), lambda value: value < 30),
        Target("idle CPU 0 (under 1 ms/s)", life("idle_cpu_ms"), lambda value: value < 1)]
    return ["### Targets", "",
            *table(["target", *(f"access log {log}" for log in LOG_MODES)],
                   [target.row() for target in targets]), ""]


def _kills(results: Results) -> list[str]:
    if not results.kills:
        return []
    rows = [[str(kill.lost), str(kill.ok), str(kill.unavailable), str(kill.other),
             "never" if kill.served_ms is None else f"{kill.served_ms:.0f}",
             "✓" if kill.lost == 0 and (kill.served_ms or 1e9) < 1000 else "✗"]
            for kill in results.kills]
    return ["### The runner killed with SIGKILL under 64 connections", "",
            "All workers of the runner are killed at once. The target: every request is answered, and "
            "a request sent after the kill gets a 200 within 1,000 ms.", "",
            *table(["no answer", "200", "503", "other", "next 200 after ms", "target"], rows,
                   words=0), ""]


def section(results: Results) -> list[str]:
    errors = sum(cell.errors for cell in results.cells)
    lines = ["## bentohost beside its peers", "",
             "A POST of one iris row, answered by an SVC. Medians of interleaved rounds; "
             "\"of nginx\" is relative to nginx's static reply of the same size in the same round. "
             f"Errors in all runs together: {errors}.", "",
             "![Requests per second and p99 latency, by server and connections](results.svg)", ""]
    lines += _targets(results)
    for log in LOG_MODES:
        lines += _summary(results, log)
    lines += _kills(results) + _details(results)
    lines += ["### How it was measured", "", f"`{results.command}`", ""]
    return lines + [f"- {fact}" for fact in results.machine]
