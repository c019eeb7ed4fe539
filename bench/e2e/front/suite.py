"""The suite: all scenarios in interleaved rounds, then its section and its plot."""
from pathlib import Path
from typing import Sequence

from .. import machine, markdown, plot, scenarios
from ..results import Results
from ..scenarios import Plan
from ..servers import Spec
from . import handlers, hello, idle, middleware, streams, tls
from .servers import FASTIFY, Built

# Each also has cases(built).
SCENARIOS = (hello, handlers, middleware, idle, streams, tls)
PYTHON_PEERS = ("starlette", "uvicorn", "uvloop", "httptools")


def known(built: Built) -> list[Spec]:
    return [built.bentohost("hello"), *built.peers()]


def plan(built: Built, servers: Sequence[str], wanted: Sequence[str]) -> Plan:
    """The cases of each scenario, for the chosen servers."""
    return [(scenario, [case for case in scenario.cases(built) if case.spec.key in servers])
            for scenario in SCENARIOS if scenario.KEY in wanted]


def run(chosen: Plan, rounds: int, seconds: float, command: str) -> Results:
    facts = machine.describe(PYTHON_PEERS, machine.version_of("node", "--version") + [
        f"fastify {FASTIFY}"] + machine.package_versions("libcpp-httplib-dev", "libpoco-dev"))
    facts.append("nginx, uvicorn and Node with 2 processes each; cpp-httplib and Poco with a "
                 "thread for each connection and 8 more; bentohost with its defaults; no access "
                 "logs")
    results = Results(labels=scenarios.labels(chosen), machine=facts, command=command)
    scenarios.run(chosen, rounds, seconds, results)
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
