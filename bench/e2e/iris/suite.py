"""The suite: interleaved rounds, then the kill scenario, then its section and its plot."""
from pathlib import Path

from .. import kill, load, machine, markdown, plot, procs
from ..load import WrongAnswer
from ..servers import Spec
from . import report
from .results import CONNECTIONS, LOG_MODES, Cell, Kill, Life, Results
from .servers import CLASSIFY

IDLE_SECONDS = 1.0
PYTHON_PEERS = ("fastapi", "uvicorn", "uvloop", "httptools", "flask", "gunicorn", "scikit-learn")
# Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline is grey.
COLOURS = {"bentohost": "#0072B2", "nginx": "#8C8C8C", "fastapi-def": "#E69F00",
           "fastapi-async": "#D55E00", "fastapi-uvloop": "#CC79A7", "flask": "#009E73"}


def _cell(spec: Spec, server: procs.Server, mode: tuple[str, int], connections: int,
          seconds: float) -> Cell:
    run = load.measure(server, CLASSIFY, connections, seconds)
    print(f"  {connections:3} connections: {run.rps:9.0f} req/s, p50 {run.p50_ms:7.3f} ms, "
          f"p99 {run.p99_ms:7.3f} ms, {run.cpu_us:6.1f} us/req, {run.errors} errors", flush=True)
    return Cell(spec.key, *mode, connections, run.rps, run.p50_ms, run.p99_ms, run.cpu_us,
                run.errors)


def _measure(spec: Spec, mode: tuple[str, int], seconds: float, results: Results) -> None:
    with spec.running(CLASSIFY, access_log=mode[0] != "off",
                      connections=max(CONNECTIONS)) as server:
        server.settle()
        load.check(spec.label, server, CLASSIFY)
        print(f"{spec.label}, access log {mode[0]}, round {mode[1]}: "
              f"ready in {server.ready_ms:.0f} ms", flush=True)
        for connections in CONNECTIONS:
            results.cells.append(_cell(spec, server, mode, connections, seconds))
        rss_mb, pss_mb = procs.rss_mb(server.pid), procs.pss_mb(server.pid)
        server.settle()
        idle_cpu_ms = procs.cpu_share(server.pid, IDLE_SECONDS) * 1e3
        results.lives.append(Life(spec.key, *mode, server.ready_ms, rss_mb, pss_mb, idle_cpu_ms))


def _rounds(specs: list[Spec], rounds: int, seconds: float, results: Results) -> None:
    """Each round measures all servers once, in rotating order, so that drift of the machine affects
    them alike."""
    for number in range(1, rounds + 1):
        turned = specs[number % len(specs):] + specs[:number % len(specs)]
        for log in LOG_MODES:
            for spec in turned:
                _measure(spec, (log, number), seconds, results)


def _kill(spec: Spec) -> Kill:
    with spec.running(CLASSIFY) as server:
        outcome = kill.run(lambda: kill.runner_workers(server.pid), server.port, CLASSIFY)
    print(outcome.text(), flush=True)
    if outcome.wrong:
        raise WrongAnswer(f"{outcome.wrong} wrong replies while the runner was killed")
    return Kill(outcome.lost, outcome.statuses[200], outcome.statuses[503], outcome.other,
                outcome.served_ms)


def quick(specs: list[Spec]) -> None:
    for spec in specs:
        with spec.running(CLASSIFY, access_log=True) as server:
            load.check(spec.label, server, CLASSIFY)
        print(f"ok: {spec.label}", flush=True)
        if spec.key == report.SUBJECT and _kill(spec).lost:
            raise WrongAnswer("requests without an answer while the runner was killed")


def run(specs: list[Spec], rounds: int, seconds: float, command: str) -> Results:
    facts = machine.describe(PYTHON_PEERS) + [
        "nginx, uvicorn and gunicorn with 2 workers each; bentohost with its defaults"]
    results = Results(labels={spec.key: spec.label for spec in specs}, machine=facts,
                      command=command)
    _rounds(specs, rounds, seconds, results)
    for spec in specs:
        if spec.key == report.SUBJECT:
            results.kills = [_kill(spec) for _ in range(rounds)]
    return results


def chart(results: Results, log: str = LOG_MODES[0]) -> plot.Chart:
    def panel(title: str, figure: str) -> plot.Panel:
        return plot.Panel(title, [
            (f"{connections} connection{'s' if connections > 1 else ''}",
             {server: results.cell(server, log, connections, figure) for server in results.labels})
            for connections in CONNECTIONS])
    rounds = max((cell.round for cell in results.cells), default=0)
    return plot.Chart(
        "An iris row classified over HTTP: bentohost beside its peers",
        f"Logarithmic scales. Access log {log}. Bars: medians of {rounds} rounds; "
        "thin lines: lowest to highest.",
        [plot.Series(server, label, COLOURS.get(server, "#56B4E9"))
         for server, label in results.labels.items()],
        [panel("Requests per second: higher is better", "rps"),
         panel("p99 latency, ms: lower is better", "p99_ms")])


def write(results: Results, folder: Path) -> None:
    markdown.replace_section(folder / "RESULTS.md", "iris", report.section(results))
    (folder / "results.svg").write_text(plot.draw(chart(results)))
    print(f"wrote RESULTS.md and results.svg ({len(results.cells)} wrk runs)")
