"""The suite: rounds of runs without and with reloads, then crashes, then its section."""
import http.client
import json
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .. import kill, load, machine, markdown, procs, servers
from ..figures import Spread, full
from ..iris.servers import CLASSIFY
from ..load import WrongAnswer
from ..markdown import Target, table
from .results import Crash, Results, Round

CONNECTIONS = 64
RELOADS = 100
SELDOM = 3        # the run with seldom reloads is this many times as long
SERVICE = "iris_classifier"
SEEN = 5          # reloads by --reload in a round
KEPT_PORTS_AT = 0.15  # of a run: connections are compared this long after its start and before its end


class _Admin:
    """The admin port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def _ask(self, method: str, path: str) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def reload(self) -> dict:
        answer = self._ask("POST", f"/plugins/{SERVICE}/reload?force=true")
        if answer["result"] != "ok":
            raise WrongAnswer(f"a reload failed: {answer}")
        return answer

    def generations(self) -> list[dict]:
        return self._ask("GET", "/plugins")["plugins"][0]["generations"]

    def wait_until_retired(self) -> None:
        while any(g["state"] in ("draining", "retiring") for g in self.generations()):
            time.sleep(0.01)


@contextmanager
def _host(binary: Path, plugin: str, *options: str) -> Iterator[tuple[procs.Server, _Admin]]:
    port = procs.free_port()
    spec = servers.bentohost(binary, [plugin], ["--admin-bind", f"127.0.0.1:{port}", *options])
    with spec.running(CLASSIFY) as server:
        server.settle()
        load.check(spec.label, server, CLASSIFY)
        yield server, _Admin(port)


def _client_ports(port: int) -> set[int]:
    """The clients' ports of the connections that the server has."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(fields[i].split(":")[1], 16) for i in (1, 2))
        if local == port and fields[3] == "01":
            found.add(remote)
    return found


class _Reloading:
    """Reloads at an even pace during a run."""

    def __init__(self, admin: _Admin, port: int, count: int, seconds: float) -> None:
        self._admin, self._port, self._count, self._seconds = admin, port, count, seconds
        self.answers: list[dict] = []
        self.closed = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Reloading":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._thread.join()

    def _run(self) -> None:
        began = time.perf_counter()
        margin = self._seconds * KEPT_PORTS_AT
        time.sleep(margin)
        before = _client_ports(self._port)
        for number in range(self._count):
            due = began + margin + (self._seconds - 2 * margin) * number / self._count
            time.sleep(max(0.0, due - time.perf_counter()))
            self.answers.append(self._admin.reload())
        # Do not count connections that wrk has closed at the end of the run.
        if time.perf_counter() < began + self._seconds - margin / 3:
            self.closed = len(before - _client_ports(self._port))


def _serving_rss_kb(server: procs.Server) -> float:
    pids = kill.serving_processes(server.pid) or [server.pid]
    return sum(procs.own_rss_mb(pid) for pid in pids) * 1024


def _kb_per_generation(server: procs.Server, admin: _Admin, count: int) -> float:
    """Growth from the first third of the reloads to the last, when the allocator has warmed up."""
    first = count // 3
    for number in range(count):
        if number == first:
            admin.wait_until_retired()
            before = _serving_rss_kb(server)
        admin.reload()
    admin.wait_until_retired()
    return (_serving_rss_kb(server) - before) / (count - first)


def _seen_ms(binary: Path, plugin: Path, folder: Path, count: int) -> list[float]:
    """Renames changed copies of the plugin into its place."""
    place = folder / plugin.name
    content = plugin.read_bytes()
    place.write_bytes(content)
    for model in plugin.parent.glob("iris.svm"):
        (folder / model.name).write_bytes(model.read_bytes())
    took = []
    with _host(binary, str(place), "--reload") as (_, admin):
        for number in range(count):
            new = folder / "new"
            new.write_bytes(content + b"\0" * (number + 1))
            before = len(admin.generations())
            new.rename(place)
            began = time.perf_counter()
            while len(admin.generations()) == before:
                time.sleep(0.001)
            took.append((time.perf_counter() - began) * 1e3)
    return took


def _round(binary: Path, plugin: Path, folder: Path, reloads: int, seconds: float) -> Round:
    """One run compares every response; the others measure latency, with as little work as possible for
    wrk, which shares the cores."""
    with _host(binary, str(plugin)) as (server, admin):
        with _Reloading(admin, server.port, reloads, seconds) as reloading:
            compared = load.measure(server, CLASSIFY, CONNECTIONS, seconds, check=True)
        quiet = load.measure(server, CLASSIFY, CONNECTIONS, seconds)
        with _Reloading(admin, server.port, reloads, SELDOM * seconds) as meanwhile:
            busy = load.measure(server, CLASSIFY, CONNECTIONS, SELDOM * seconds)
        with _Reloading(admin, server.port, reloads, seconds) as often:
            busier = load.measure(server, CLASSIFY, CONNECTIONS, seconds)
        kilobytes = _kb_per_generation(server, admin, reloads)
    steps: dict[str, list[float]] = {"all": [a["took_ms"] for a in meanwhile.answers]}
    for answer in meanwhile.answers:
        for step, took in answer["steps_ms"].items():
            steps.setdefault(step, []).append(took)
    found = Round(compared.requests, compared.errors + busy.errors + busier.errors,
                  reloading.closed + meanwhile.closed + often.closed, len(reloading.answers),
                  quiet.rps, busy.rps, quiet.p99_ms, busy.p99_ms, busier.rps, busier.p99_ms, steps,
                  _seen_ms(binary, plugin, folder, SEEN), kilobytes)
    print(f"  {found.reloads} reloads, {found.requests} requests: {found.failed} failed, "
          f"{found.closed} connections closed, p99 {found.p99_ms_without:.2f} -> "
          f"{found.p99_ms_with:.2f} ms, often {found.p99_ms_often:.2f} ms, "
          f"{kilobytes:.0f} KB a generation, seen after {Spread.of(found.seen_ms).median:.0f} ms", flush=True)
    return found


def _crash(binary: Path, plugin: Path) -> Crash:
    with _host(binary, str(plugin)) as (server, _):
        outcome = kill.run(lambda: kill.serving_processes(server.pid), server.port, CLASSIFY,
                           signal.SIGSEGV)
    print("  " + outcome.text(), flush=True)
    return Crash(outcome.lost, outcome.refused, outcome.statuses[503], outcome.served_ms)


def quick(binary: Path, plugin: Path, folder: Path) -> None:
    found = _round(binary, plugin, folder, 5, 1.0)
    if found.failed or found.closed:
        raise WrongAnswer(f"reloads lost {found.failed} requests, {found.closed} connections")
    _crash(binary, plugin)
    print("ok: reload", flush=True)


def run(binary: Path, plugin: Path, folder: Path, rounds: int, seconds: float,
        command: str) -> Results:
    pace_ms = seconds * 1e3 * (1 - 2 * KEPT_PORTS_AT) / RELOADS
    results = Results(machine=machine.describe(()), command=command, pace_ms=pace_ms)
    for number in range(1, rounds + 1):
        print(f"reload, round {number}", flush=True)
        results.rounds.append(_round(binary, plugin, folder, RELOADS, seconds))
        results.crashes.append(_crash(binary, plugin))
    return results


def _targets(results: Results, pace: float) -> list[list[str]]:
    """`pace`: milliseconds from one reload to the next, in the run with frequent reloads."""
    def ratio(name: str) -> Spread | None:
        return Spread.of(getattr(each, name) / each.p99_ms_without for each in results.rounds)

    seen = Spread.of(ms for each in results.rounds for ms in each.seen_ms)
    served = Spread.of(each.served_ms or 1e9 for each in results.crashes)
    targets = [
        Target("requests that failed in 100 reloads: 0", [results.of("failed")], lambda n: n == 0),
        Target("requests meanwhile: over 100,000", [results.of("requests")], lambda n: n > 1e5),
        Target("connections closed for them: 0", [results.of("closed")], lambda n: n == 0),
        Target(f"p99 with a reload each {pace * SELDOM:.0f} ms, against without: under 2",
               [ratio("p99_ms_with")], lambda n: n < 2),
        Target(f"p99 with a reload each {pace:.0f} ms, against without: under 2",
               [ratio("p99_ms_often")], lambda n: n < 2),
        Target("from a file in its place to the swap, ms: under 400", [seen], lambda n: n < 400),
        Target("KB for a replaced generation: under 100", [results.of("kb_per_generation")],
               lambda n: n < 100),
        Target("SIGSEGV in the serving process: ms to the next 200, under 300", [served],
               lambda n: n < 300),
        Target("connections refused after it: 0",
               [Spread.of(each.refused for each in results.crashes)], lambda n: n == 0)]
    return [target.row() for target in targets]


def _section(results: Results) -> list[str]:
    steps = [name for name in results.rounds[0].steps_ms if name != "all"]
    rows = [[name, full(results.step(name))] for name in [*steps, "all"]]
    pace = results.pace_ms
    lines = ["## Reload and crash", "",
             f"iris at {CONNECTIONS} connections, with {RELOADS} reloads in a run, one each {pace:.0f} ms "
             f"or {SELDOM} times less often. One run compares every response; the latencies are from other "
             "runs, in which wrk does as little as possible. Medians (lowest–highest) of the rounds; "
             "for the steps, of all reloads.", "", "### Targets", "",
             *table(["target", "bentohost"], _targets(results, pace)), "",
             "### A reload under load, step by step", "", *table(["step", "ms"], rows), "",
             "### Requests and crashes", "",
             *table(["", "without reloads", f"one each {pace * SELDOM:.0f} ms",
                     f"one each {pace:.0f} ms"], [
                 [label, *(full(results.of(name + run)) for run in ("without", "with", "often"))]
                 for label, name in (("req/s", "rps_"), ("p99, ms", "p99_ms_"))]),
             "",
             *table(["crash", "lost", "answered 503", "refused", "next 200, ms"], [
                 [str(number), str(each.lost), str(each.unavailable), str(each.refused),
                  "never" if each.served_ms is None else f"{each.served_ms:.0f}"]
                 for number, each in enumerate(results.crashes, 1)]), "",
             "### How it was measured", "", f"`{results.command}`", ""]
    return lines + [f"- {fact}" for fact in results.machine]


def write(results: Results, folder: Path) -> None:
    markdown.replace_section(folder / "RESULTS.md", "reload", _section(results))
    print("wrote the section of RESULTS.md on reloads")
