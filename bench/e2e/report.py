"""RESULTS.md: tables between two markers; what people write outside of them stays."""
from pathlib import Path
from typing import Callable

from .results import CONNECTIONS, LOG_MODES, Results, Spread

BEGIN, END = "<!-- e2e:begin -->", "<!-- e2e:end -->"
SKELETON = f"""# Results

What bentohost costs and reaches beside its peers, written by `bench/run.sh`; [README](README.md)
says how to read it. Text outside of the two markers is kept.

{BEGIN}
{END}
"""
SUBJECT, FLOOR = "bentohost", "nginx"


def _number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    if value >= 1000:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _median(spread: Spread | None) -> str:
    return "" if spread is None else _number(spread.median)


def _full(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{_number(spread.median)} ({_number(spread.low)}–{_number(spread.high)})"


def _table(head: list[str], rows: list[list[str]], words: int = 1) -> list[str]:
    """Columns after the first `words` hold figures, and are set flush right."""
    rule = ["---"] * words + ["--:"] * (len(head) - words)
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


def _summary(results: Results, log: str) -> list[str]:
    rows = []
    for server, label in results.labels.items():
        at = lambda number, name: _median(results.cell(server, log, number, name))
        rows.append([label, " / ".join(at(number, "rps") for number in CONNECTIONS),
                     at(1, "p50_ms"),
                     f"{at(64, 'p50_ms')} / {at(64, 'p99_ms')}", at(64, "cpu_us"),
                     _median(results.ratio(server, FLOOR, log, 64)),
                     _median(results.life(server, log, "rss_mb")),
                     _median(results.life(server, log, "pss_mb")),
                     _median(results.life(server, log, "ready_ms")),
                     _median(results.life(server, log, "idle_cpu_ms"))])
    return [f"### Access log {log}", "", *_table(
        ["server", "req/s at 1 / 16 / 64", "p50 ms at 1", "p50 / p99 ms at 64", "CPU µs/req at 64",
         "of nginx at 64", "RSS MB", "PSS MB", "ready ms", "idle CPU ms/s"], rows), ""]


def _details(results: Results) -> list[str]:
    rows = []
    for server, label in results.labels.items():
        for log in LOG_MODES:
            for connections in CONNECTIONS:
                cell = [results.cell(server, log, connections, name)
                        for name in ("rps", "p50_ms", "p99_ms", "cpu_us")]
                if cell[0] is not None:
                    ratio = results.ratio(server, FLOOR, log, connections)
                    rows.append([label, log, str(connections), *map(_full, cell), _full(ratio)])
    return ["<details><summary>Every cell: the median of the rounds (lowest–highest)</summary>", "",
            *_table(["server", "access log", "connections", "req/s", "p50 ms", "p99 ms",
                     "CPU µs/req", "of nginx"], rows, words=2), "", "</details>", ""]


def _verdict(spread: Spread | None, holds: Callable[[float], bool]) -> str:
    return "" if spread is None else f"{_full(spread)} {'✓' if holds(spread.median) else '✗'}"


def _targets(results: Results) -> list[str]:
    cell, life, ratio = results.cell, results.life, results.ratio
    targets: list[tuple[str, Callable[[str], Spread | None], Callable[[float], bool]]] = [
        ("64 connections: at least 0.25 of nginx's static reply",
         lambda log: ratio(SUBJECT, FLOOR, log, 64), lambda value: value >= 0.25)]
    for peer, label in results.labels.items():
        if peer.startswith("fastapi"):
            targets.append((f"64 connections: at least 8 times {label}",
                            lambda log, peer=peer: ratio(SUBJECT, peer, log, 64),
                            lambda value: value >= 8))
    targets += [
        ("64 connections: p99 under 5 ms", lambda log: cell(SUBJECT, log, 64, "p99_ms"),
         lambda value: value < 5),
        ("1 connection: p50 under 0.2 ms", lambda log: cell(SUBJECT, log, 1, "p50_ms"),
         lambda value: value < 0.2),
        ("ready in under 100 ms", lambda log: life(SUBJECT, log, "ready_ms"),
         lambda value: value < 100),
        ("host and runner under 30 MB RSS", lambda log: life(SUBJECT, log, "rss_mb"),
         lambda value: value < 30),
        ("idle CPU 0 (under 1 ms/s)", lambda log: life(SUBJECT, log, "idle_cpu_ms"),
         lambda value: value < 1)]
    rows = [[text, *(_verdict(figure(log), holds) for log in LOG_MODES)]
            for text, figure, holds in targets]
    return ["### Targets", "",
            *_table(["target", *(f"access log {log}" for log in LOG_MODES)], rows), ""]


def _kills(results: Results) -> list[str]:
    if not results.kills:
        return []
    rows = [[str(kill.lost), str(kill.ok), str(kill.unavailable), str(kill.other),
             "never" if kill.served_ms is None else f"{kill.served_ms:.0f}",
             "✓" if kill.lost == 0 and (kill.served_ms or 1e9) < 1000 else "✗"]
            for kill in results.kills]
    return ["### The runner killed with SIGKILL under 64 connections", "",
            "Every worker of the runner at once; the target is no request without an answer, and a "
            "200 to a request sent after the kill within 1,000 ms.", "",
            *_table(["no answer", "200", "503", "other", "next 200 after ms", "target"], rows,
                    words=0), ""]


def section(results: Results) -> str:
    errors = sum(cell.errors for cell in results.cells)
    lines = ["## bentohost beside its peers", "",
             "A POST of one iris row, answered by an SVC. Medians of interleaved rounds; "
             "\"of nginx\" is to nginx's static reply of the same size in the same round. "
             f"Errors in all runs together: {errors}.", "",
             "![Requests per second and p99 latency, by server and connections](results.svg)", ""]
    lines += _targets(results)
    for log in LOG_MODES:
        lines += _summary(results, log)
    lines += _kills(results) + _details(results)
    lines += ["### How it was measured", "", f"`{results.command}`", ""]
    lines += [f"- {fact}" for fact in results.machine]
    return "\n".join(lines)


def write(path: Path, results: Results) -> None:
    old = path.read_text() if path.exists() else SKELETON
    if BEGIN not in old or END not in old:
        old = old.rstrip() + f"\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{section(results)}\n{END}{after}")
