"""The suite: all scenarios in interleaved rounds, then its section and its plot."""
from pathlib import Path
from types import ModuleType
from typing import Sequence

from .. import machine, markdown, plot
from ..servers import Spec
from . import hello, idle, middleware, streams, tls
from .results import Results, Sample, Skipped
from .servers import FASTIFY, Built, Case

# Each is a module with KEY, cases(built), measure(case, seconds), which yields figures for each
# size, quick(case), targets(results) and section(results).
SCENARIOS = (hello, middleware, idle, streams, tls)
PYTHON_PEERS = ("starlette", "uvicorn", "uvloop", "httptools")
Plan = list[tuple[ModuleType, list[Case]]]


def known(built: Built) -> list[Spec]:
    return [built.bentohost("hello"), *built.peers()]


def plan(built: Built, chosen: Sequence[str], scenarios: Sequence[str]) -> Plan:
    """The cases of each scenario, for the chosen servers."""
    return [(scenario, [case for case in scenario.cases(built) if case.spec.key in chosen])
            for scenario in SCENARIOS if scenario.KEY in scenarios]


def quick(chosen: Plan) -> None:
    for scenario, cases in chosen:
        for case in cases:
            name = f"{scenario.KEY}, {case.label}"
            try:
                scenario.quick(case)
                print(f"ok: {name}", flush=True)
            except Skipped as reason:
                print(f"skipped: {name}: {reason}", flush=True)


def _measure(scenario: ModuleType, case: Case, number: int, seconds: float,
             results: Results) -> None:
    name = f"{scenario.KEY}, {case.label}"
    print(f"{name}, round {number}", flush=True)
    try:
        for at, figures in scenario.measure(case, seconds):
            results.samples.append(Sample(scenario.KEY, case.key, at, number, figures))
            words = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"  {at:6}: {words}", flush=True)
    except Skipped as reason:
        results.skip(name, str(reason))


def run(chosen: Plan, rounds: int, seconds: float, command: str) -> Results:
    facts = machine.describe(PYTHON_PEERS, machine.version_of("node", "--version") + [
        f"fastify {FASTIFY}"] + machine.package_versions("libcpp-httplib-dev", "libpoco-dev"))
    facts.append("nginx, uvicorn and Node with 2 processes each; cpp-httplib and Poco with a "
                 "thread for each connection and 8 more; bentohost with its defaults; no access "
                 "logs")
    results = Results(labels={scenario.KEY: {case.key: case.label for case in cases}
                              for scenario, cases in chosen}, machine=facts, command=command)
    for number in range(1, rounds + 1):  # in rotating order: drift affects all servers alike
        for scenario, cases in chosen:
            turn = number % max(len(cases), 1)
            for case in cases[turn:] + cases[:turn]:
                _measure(scenario, case, number, seconds, results)
    return results


def _section(results: Results) -> list[str]:
    measured = [scenario for scenario in SCENARIOS if scenario.KEY in results.labels]
    targets = [target.row() for scenario in measured for target in scenario.targets(results)]
    lines = ["## The HTTP front", "", "Medians of interleaved rounds (lowest–highest).", ""]
    if targets:
        lines += ["### Targets", "", *markdown.table(["target", "bentohost"], targets), ""]
    for scenario in measured:
        lines += scenario.section(results)
    lines += ["### How it was measured", "", f"`{results.command}`", ""]
    lines += [f"- {fact}" for fact in results.machine]
    return lines + [f"- skipped: {what}" for what in results.skipped]


def write(results: Results, folder: Path) -> None:
    markdown.replace_section(folder / "RESULTS.md", "front", _section(results))
    if hello.KEY in results.labels:
        (folder / "front.svg").write_text(plot.draw(hello.chart(results)))
    print(f"wrote the section of RESULTS.md, and its plot ({len(results.samples)} samples)")
