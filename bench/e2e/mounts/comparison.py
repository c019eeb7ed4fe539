"""Scenarios that put the same load on one app behind several fronts."""
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

from .. import load
from ..figures import full, median
from ..markdown import Target, folded, table
from ..results import Results
from .servers import Case

BASELINE = "nginx"
RATIOS = ("rps", "p50_ms", "p99_ms", "cpu_us")


@dataclass(frozen=True)
class Comparison:
    """A scenario: see e2e/scenarios.py."""
    KEY: str
    title: str
    text: str                       # what is measured, for the report
    connections: Sequence[int]
    cases: Sequence[Case]
    promises: Callable[[Results], list[Target]]

    def measure(self, case: Case, seconds: float) -> Iterator[tuple[int, dict[str, float]]]:
        with case.running(max(self.connections)) as running:
            load.check(case.label, running.front, case.request)
            for number in self.connections:
                front, app = running.cpu()
                run = load.run_wrk(running.port, case.request, number, seconds)
                front, app = (after - before
                              for after, before in zip(running.cpu(), (front, app)))
                each = 1e6 / max(run.requests, 1)
                yield number, {"rps": run.rps, "p50_ms": run.p50_ms, "p99_ms": run.p99_ms,
                               "cpu_us": front * each, "app_us": app * each,
                               "all_us": (front + app) * each, "errors": run.errors}

    def quick(self, case: Case) -> None:
        with case.running() as running:
            load.check(case.label, running.front, case.request)

    def targets(self, results: Results) -> list[Target]:
        return self.promises(results)

    def _summary(self, results: Results) -> list[str]:
        rows = []
        for key, label in results.labels[self.KEY].items():
            def each(figure: str, key: str = key) -> str:
                return " / ".join(median(results.spread(self.KEY, key, number, figure))
                                  for number in self.connections)

            def ratio(figure: str, key: str = key) -> str:
                return " / ".join(median(results.ratio(self.KEY, key, BASELINE, number, figure))
                                  for number in self.connections)
            if results.spread(self.KEY, key, self.connections[0], "rps") is not None:
                rows.append([label, each("rps"), ratio("rps"), each("p50_ms"), each("p99_ms"),
                             each("cpu_us"), ratio("cpu_us"), each("app_us")])
        at = " / ".join(map(str, self.connections))
        return table([f"at {at} connections", "req/s", "of nginx", "p50 ms", "p99 ms",
                      "CPU µs/req of the front", "of nginx", "of the app"], rows)

    def _details(self, results: Results) -> list[str]:
        rows = []
        for key, label in results.labels[self.KEY].items():
            for number in self.connections:
                cell = [results.spread(self.KEY, key, number, figure)
                        for figure in ("rps", "p50_ms", "p99_ms", "cpu_us", "app_us")]
                ratios = [results.ratio(self.KEY, key, BASELINE, number, figure)
                          for figure in RATIOS]
                if cell[0] is not None:
                    rows.append([label, str(number), *map(full, cell), *map(full, ratios)])
        return table(["", "connections", "req/s", "p50 ms", "p99 ms", "CPU µs/req, front", "app",
                      "of nginx: req/s", "p50", "p99", "CPU of the front"], rows, words=2)

    def section(self, results: Results) -> list[str]:
        errors = sum(sample.figures["errors"] for sample in results.samples
                     if sample.scenario == self.KEY)
        return [f"### {self.title}", "", f"{self.text} Errors in all runs together: {errors:.0f}.",
                "", *self._summary(results), "",
                *folded("Every cell: the median of the rounds (lowest–highest)",
                        self._details(results))]
