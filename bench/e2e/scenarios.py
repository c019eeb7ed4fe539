"""Runs a suite of scenarios: a smoke test, or all of them in interleaved rounds."""
from typing import Any, Sequence

from .results import Results, Sample, Skipped

# A scenario is a module or an object with KEY, measure(case, seconds), which yields figures for each
# size, quick(case), targets(results) and section(results). A case has a key and a label.
Plan = list[tuple[Any, Sequence[Any]]]


def labels(plan: Plan) -> dict[str, dict[str, str]]:
    return {scenario.KEY: {case.key: case.label for case in cases} for scenario, cases in plan}


def quick(plan: Plan) -> None:
    for scenario, cases in plan:
        for case in cases:
            name = f"{scenario.KEY}, {case.label}"
            try:
                scenario.quick(case)
                print(f"ok: {name}", flush=True)
            except Skipped as reason:
                print(f"skipped: {name}: {reason}", flush=True)


def _measure(scenario: Any, case: Any, number: int, seconds: float, results: Results) -> None:
    name = f"{scenario.KEY}, {case.label}"
    print(f"{name}, round {number}", flush=True)
    try:
        for at, figures in scenario.measure(case, seconds):
            results.samples.append(Sample(scenario.KEY, case.key, at, number, figures))
            words = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"  {at:6}: {words}", flush=True)
    except Skipped as reason:
        results.skip(name, str(reason))


def run(plan: Plan, rounds: int, seconds: float, results: Results) -> None:
    for number in range(1, rounds + 1):  # in rotating order: drift affects all servers alike
        for scenario, cases in plan:
            turn = number % max(len(cases), 1)
            for case in [*cases[turn:], *cases[:turn]]:
                _measure(scenario, case, number, seconds, results)
