"""The suite: all scenarios in interleaved rounds, then its section."""
from pathlib import Path
from typing import Sequence

from .. import machine, markdown, scenarios, servers
from ..front.servers import Built
from ..load import Request
from ..markdown import Target
from ..results import Results
from ..scenarios import Plan
from ..servers import Spec
from .comparison import BASELINE, Comparison
from .servers import (HAPROXY, NGINX, SUBJECT, App, Case, bentohost, gunicorn, responder, uvicorn)
from .start import Start

KEYS = ("proxy", "fastapi", "flask", "predict", "start")
CONNECTIONS = (1, 16, 64)
PYTHON_PEERS = ("fastapi", "uvicorn", "uvloop", "httptools", "flask", "gunicorn", "scikit-learn")
HELLO = Request("GET", "/hello", '{"message":"hello"}')
PREDICT = Request("POST", "/predict_fastapi_async", '{"prediction":0}',
                  body='{"sepal_len":4.9,"sepal_width":3.0,"petal_len":1.4,"petal_width":0.2}',
                  content_type="application/json")


def _cases(binary: Path, app: App, request: Request = HELLO) -> list[Case]:
    """The app behind each of the three."""
    return [Case(spec.key, spec.label, spec, app, request)
            for spec in (bentohost(binary, app), NGINX, HAPROXY)]


def _ratio(results: Results, scenario: str, at: int, figure: str, case: str = SUBJECT,
           other: str = BASELINE) -> list:
    return [results.ratio(scenario, case, other, at, figure)]


def _proxy_targets(results: Results) -> list[Target]:
    found = []
    for number in CONNECTIONS:
        at = f"responder, {number} connection{'s' if number > 1 else ''}"
        found += [Target(f"{at}: CPU of the proxy at most 0.9 of nginx's",
                         _ratio(results, "proxy", number, "cpu_us"), lambda value: value <= 0.9),
                  Target(f"{at}: at least nginx's throughput",
                         _ratio(results, "proxy", number, "rps"), lambda value: value >= 1)]
    return [*found, Target("responder, 1 connection: p50 at most nginx's",
                           _ratio(results, "proxy", 1, "p50_ms"), lambda value: value <= 1)]


def _flask_targets(results: Results) -> list[Target]:
    return [Target(f"Flask, {number} connection{'s' if number > 1 else ''}: bentohost's WSGI worker at "
                   f"least 2 times gunicorn {where}",
                   _ratio(results, "flask", number, "rps", "worker", other),
                   lambda value: value >= 2)
            for number in (CONNECTIONS[0], CONNECTIONS[-1])
            for where, other in (("behind nginx", BASELINE), ("behind bentohost", SUBJECT))]


def _predict_targets(results: Results) -> list[Target]:
    return [Target("/predict_fastapi_async, 64 connections: through the runner at least 1.4 times "
                   "scikit-learn inside behind nginx",
                   _ratio(results, "predict", 64, "rps"), lambda value: value >= 1.4)]


def _predict(built: Built) -> Comparison:
    inside = uvicorn("fastapi_iris_inside:app")
    sample = any(built.binary.parent.parent.glob("lib*/**/libiris_fastapi.so"))
    ours = App(inside.command, modules=inside.modules,
               lacks="" if sample else "not built: samples/iris_fastapi")
    runner = servers.bentohost(built.binary, ["libiris_fastapi.so"])
    return Comparison(
        "predict", "A prediction in FastAPI",
        "POST /predict_fastapi_async with one iris row. One uvicorn process everywhere; with \"the model in "
        "a runner\" it calls bentohost's runner, otherwise scikit-learn runs in it. The front's CPU includes "
        "the runner's.", (64,),
        [Case("bentohost", "bentohost, the model in a runner", runner, ours, PREDICT),
         Case("inside", "bentohost, scikit-learn inside", bentohost(built.binary, inside), inside,
              PREDICT),
         Case("nginx", "nginx, scikit-learn inside", NGINX, inside, PREDICT)],
        _predict_targets)


def _all(built: Built) -> list:
    hello = responder(built.bench)
    fastapi = uvicorn("fastapi_hello:app")
    flask = gunicorn("flask_hello:app", "wsgi+gunicorn")
    worker = gunicorn("flask_hello:app", "wsgi")

    def one(key: str, label: str, app: App) -> Case:
        return Case(key, label, bentohost(built.binary, app), app, HELLO)

    return [
        Comparison("proxy", "The proxy alone",
                   "GET of a small JSON from a C++ responder on a Unix socket, with connections kept open on "
                   "both sides: the least that an app can cost.", CONNECTIONS,
                   _cases(built.binary, hello), _proxy_targets),
        Comparison("fastapi", "FastAPI",
                   "GET of a small JSON from one uvicorn process with uvloop and httptools.",
                   CONNECTIONS, _cases(built.binary, fastapi), lambda _: []),
        Comparison("flask", "Flask",
                   "GET of a small JSON from one process with 16 threads: gunicorn's gthread, or bentohost's "
                   "own WSGI worker.", CONNECTIONS,
                   [Case(case.key, f"{case.label}, gunicorn", case.spec, case.app, HELLO)
                    for case in _cases(built.binary, flask)] +
                   [one("worker", "bentohost, its WSGI worker", worker)], _flask_targets),
        _predict(built),
        Start([one("responder", "C++ responder", hello), one("fastapi", "FastAPI", fastapi),
               one("flask", "Flask, gunicorn", flask)], built.bentohost("hello"))]


def known(built: Built) -> list[Spec]:
    return [built.bentohost("hello"), NGINX, HAPROXY]


def plan(built: Built, chosen: Sequence[str], wanted: Sequence[str]) -> Plan:
    """The cases of each scenario, for the chosen servers."""
    return [(scenario, [case for case in scenario.cases if case.spec.key in chosen])
            for scenario in _all(built) if scenario.KEY in wanted]


def run(chosen: Plan, rounds: int, seconds: float, command: str) -> Results:
    facts = machine.describe(PYTHON_PEERS, machine.version_of("haproxy", "-v"))
    facts.append(f"nginx with {servers.WORKERS} workers, haproxy with {servers.WORKERS} threads, bentohost "
                 "with its defaults; one process of each app; no access logs")
    results = Results(labels=scenarios.labels(chosen), machine=facts, command=command)
    scenarios.run(chosen, rounds, seconds, results)
    return results


def _section(results: Results) -> list[str]:
    measured = [scenario for scenario in _all(Built(Path(), Path()))
                if any(sample.scenario == scenario.KEY for sample in results.samples)]
    targets = [target.row() for scenario in measured for target in scenario.targets(results)
               if any(target.figures)]
    lines = ["## Mounted apps", "",
             "bentohost in front of an app on a Unix socket, beside nginx and haproxy. Medians of "
             "interleaved rounds; \"of nginx\" is relative to nginx in the same round, and it is what "
             "counts: one cell moves by a factor of up to 2 from run to run. The front's CPU is of its own "
             "processes alone: not the app's, and not wrk's.", ""]
    if targets:
        lines += ["### Targets", "", *markdown.table(["target", "bentohost"], targets), ""]
    for scenario in measured:
        lines += scenario.section(results)
    lines += ["### How it was measured", "", f"`{results.command}`", ""]
    lines += [f"- {fact}" for fact in results.machine]
    return lines + [f"- skipped: {what}" for what in results.skipped]


def write(results: Results, folder: Path) -> None:
    markdown.replace_section(folder / "RESULTS.md", "mounts", _section(results))
    print(f"wrote the section of RESULTS.md on mounts ({len(results.samples)} samples)")
