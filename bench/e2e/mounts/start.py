"""What a mount costs the host: its start beside the app's own, and its memory."""
from typing import Iterator, Sequence

from .. import procs
from ..figures import full
from ..front.servers import LIVEZ
from ..markdown import Target, table
from ..results import Results, Skipped
from ..servers import Spec
from .servers import Case

LATE_MS, MORE_MB = 50, 12


def _memory_mb(server: procs.Server) -> tuple[float, float]:
    """RSS and PSS of the host's own processes, without the app's."""
    pids = procs.that_run(procs.program_of(server.pid), server.pid)
    return sum(map(procs.own_rss_mb, pids)), sum(map(procs.own_pss_mb, pids))


class Start:
    """A scenario: see e2e/scenarios.py. The cases are bentohost's; each one's app is also started alone."""
    KEY = "start"

    def __init__(self, cases: Sequence[Case], bare: Spec) -> None:
        """`bare`: bentohost with a plugin and no mount."""
        self.cases = cases
        self._bare = bare

    def _mounted(self, case: Case) -> tuple[float, tuple[float, float]]:
        """Ready after milliseconds, and the host's memory."""
        if reason := case.missing():
            raise Skipped(reason)
        with case.spec.running(case.request) as server:
            server.settle()
            return server.ready_ms, _memory_mb(server)

    def _at(self, case: Case) -> dict[str, float]:
        ready_ms, mounted = self._mounted(case)
        with case.app.running(case.request) as (app, _):
            app_ms = app.ready_ms
        with self._bare.running(LIVEZ) as server:
            server.settle()
            bare = _memory_mb(server)
        return {"app_ms": app_ms, "ready_ms": ready_ms, "late_ms": ready_ms - app_ms,
                "bare_mb": bare[0], "more_mb": mounted[0] - bare[0],
                "more_pss_mb": mounted[1] - bare[1]}

    def measure(self, case: Case, _seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
        yield 1, self._at(case)

    def quick(self, case: Case) -> None:
        self._mounted(case)

    def targets(self, results: Results) -> list[Target]:
        found = []
        for key, label in results.labels[self.KEY].items():
            found += [Target(f"{label}: ready at most {LATE_MS} ms after the app alone",
                             [results.spread(self.KEY, key, 1, "late_ms")],
                             lambda value: value <= LATE_MS),
                      Target(f"{label}: at most {MORE_MB} MB more RSS of the host",
                             [results.spread(self.KEY, key, 1, "more_mb")],
                             lambda value: value < MORE_MB)]
        return found

    def section(self, results: Results) -> list[str]:
        rows = [[label, *(full(results.spread(self.KEY, key, 1, name)) for name in (
                    "app_ms", "ready_ms", "late_ms", "bare_mb", "more_mb", "more_pss_mb"))]
                for key, label in results.labels[self.KEY].items()]
        return ["### Start and memory", "",
                "From the start of the process to the first correct response: of the app on its socket, and "
                "of the host with the app mounted. Memory is of the host's own processes, beside that of "
                "a host with one plugin and no mount.", "",
                *table(["app", "app alone, ms", "mounted, ms", "later by", "RSS MB without a mount",
                        "RSS MB more", "PSS MB more"], rows), ""]
