"""The driver of `bench/run.sh`: interleaved rounds, then the kill scenario, then the report."""
import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import kill, load, machine, plot, procs, report, servers
from .results import CONNECTIONS, LOG_MODES, Cell, Kill, Life, Results

BENCH = Path(__file__).resolve().parents[1]
WARM_UP_CONNECTIONS = 16
WARM_UP_SECONDS = 1.0
IDLE_SECONDS = 1.0


class WrongAnswer(Exception):
    pass


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="a smoke of some seconds: does every server answer rightly? No report")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each wrk run")
    parser.add_argument("--servers", help="comma-separated; all of them if absent")
    parser.add_argument("--bentohost", type=Path, default=BENCH.parent / "build/bin/bentohost",
                        help="the binary to measure")
    parser.add_argument("--raw", type=Path, help="also save every figure as JSON")
    parser.add_argument("--render", type=Path,
                        help="measure nothing; write the report from this JSON")
    parser.add_argument("--out", type=Path, default=BENCH,
                        help="folder of RESULTS.md and results.svg")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[servers.Spec]:
    known = [servers.bentohost(arguments.bentohost.resolve()), *servers.PEER_SPECS]
    wanted = arguments.servers.split(",") if arguments.servers else [spec.key for spec in known]
    if unknown := set(wanted) - {spec.key for spec in known}:
        sys.exit(f"unknown servers: {', '.join(sorted(unknown))}")
    chosen = []
    for spec in (spec for spec in known if spec.key in wanted):
        if not (missing := spec.missing()):
            chosen.append(spec)
        elif spec.key == report.SUBJECT:
            sys.exit(f"bentohost is not built (looked for {arguments.bentohost})")
        else:
            print(f"skipped: {spec.label} (not installed: {', '.join(missing)})", flush=True)
    return chosen


def _warm_up(spec: servers.Spec, server: procs.Server) -> None:
    """Also the check of every reply, which the measured runs leave out."""
    checked = load.run_wrk(server.port, WARM_UP_CONNECTIONS, WARM_UP_SECONDS, check=True)
    if checked.errors or not checked.requests:
        raise WrongAnswer(f"{spec.label}: {checked.errors} wrong of {checked.requests} replies")


def _cell(spec: servers.Spec, server: procs.Server, mode: tuple[str, int], connections: int,
          seconds: float) -> Cell:
    before = procs.cpu_seconds(server.pid)
    run = load.run_wrk(server.port, connections, seconds)
    used = procs.cpu_seconds(server.pid) - before
    cell = Cell(spec.key, *mode, connections, run.rps, run.p50_ms, run.p99_ms,
                used / max(run.requests, 1) * 1e6, run.errors)
    print(f"  {connections:3} connections: {run.rps:9.0f} req/s, p50 {run.p50_ms:7.3f} ms, "
          f"p99 {run.p99_ms:7.3f} ms, {cell.cpu_us:6.1f} us/req, {run.errors} errors", flush=True)
    return cell


def _idle_cpu_ms(server: procs.Server) -> float:
    server.settle()
    before = procs.scheduled_seconds(server.pid)
    time.sleep(IDLE_SECONDS)
    return (procs.scheduled_seconds(server.pid) - before) * 1e3 / IDLE_SECONDS


def _measure(spec: servers.Spec, mode: tuple[str, int], seconds: float,
             results: Results) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers are another user's when it is started by root
        with spec.start(folder, access_log=mode[0] != "off") as server:
            ready_ms = server.wait_ready(load.answers) * 1e3
            server.settle()
            _warm_up(spec, server)
            print(f"{spec.label}, access log {mode[0]}, round {mode[1]}: "
                  f"ready in {ready_ms:.0f} ms", flush=True)
            for connections in CONNECTIONS:
                results.cells.append(_cell(spec, server, mode, connections, seconds))
            rss_mb, pss_mb = procs.rss_mb(server.pid), procs.pss_mb(server.pid)
            results.lives.append(
                Life(spec.key, *mode, ready_ms, rss_mb, pss_mb, _idle_cpu_ms(server)))


def _rounds(specs: list[servers.Spec], rounds: int, seconds: float, results: Results) -> None:
    """All servers once in each round, so that the machine's drift meets them alike, in turning
    order."""
    for number in range(1, rounds + 1):
        turned = specs[number % len(specs):] + specs[:number % len(specs)]
        for log in LOG_MODES:
            for spec in turned:
                _measure(spec, (log, number), seconds, results)


def _kill(spec: servers.Spec) -> Kill:
    with tempfile.TemporaryDirectory() as name, spec.start(Path(name), access_log=False) as server:
        server.wait_ready(load.answers)
        outcome = kill.run(server.pid, server.port)
    print(outcome.text(), flush=True)
    if outcome.wrong:
        raise WrongAnswer(f"{outcome.wrong} wrong replies while the runner was killed")
    return Kill(outcome.lost, outcome.statuses[200], outcome.statuses[503], outcome.other,
                outcome.served_ms)


def _quick(specs: list[servers.Spec]) -> None:
    for spec in specs:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            with spec.start(folder, access_log=True) as server:
                server.wait_ready(load.answers)
                _warm_up(spec, server)
        print(f"ok: {spec.label}", flush=True)
        if spec.key == report.SUBJECT and _kill(spec).lost:
            raise WrongAnswer("requests without an answer while the runner was killed")


def _write(results: Results, folder: Path) -> None:
    report.write(folder / "RESULTS.md", results)
    (folder / "results.svg").write_text(plot.draw(results))
    print(f"wrote RESULTS.md and results.svg ({len(results.cells)} wrk runs)")


def _full(arguments: argparse.Namespace, specs: list[servers.Spec]) -> None:
    results = Results(labels={spec.key: spec.label for spec in specs}, machine=machine.describe(),
                      command=f"bench/run.sh --rounds {arguments.rounds} "
                              f"--seconds {arguments.seconds:g}")
    _rounds(specs, arguments.rounds, arguments.seconds, results)
    for spec in specs:
        if spec.key == report.SUBJECT:
            results.kills = [_kill(spec) for _ in range(arguments.rounds)]
    if arguments.raw:
        results.save(arguments.raw)
    _write(results, arguments.out)


def main() -> None:
    arguments = _arguments()
    if arguments.render:
        _write(Results.read(arguments.render), arguments.out)
        return
    specs = _chosen(arguments)
    try:
        if arguments.quick:
            _quick(specs)
        else:
            _full(arguments, specs)
    except (WrongAnswer, RuntimeError) as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
