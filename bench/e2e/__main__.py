"""The driver of bench/run.sh: chooses suites and servers, and writes their figures."""
import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Sequence

from . import front, iris, mounts, reload, scenarios
from .front import suite as front_suite
from .front.servers import Built
from .iris import suite as iris_suite
from .iris.results import Results as IrisResults
from .iris.servers import known as iris_known
from .load import WrongAnswer
from .mounts import suite as mounts_suite
from .reload import suite as reload_suite
from .reload.results import Results as ReloadResults
from .results import Results as ScenarioResults
from .servers import Spec

BENCH = Path(__file__).resolve().parents[1]
SUITES = {"iris": iris, "front": front, "mounts": mounts, "reload": reload}
OF_SCENARIOS = {"front": front_suite, "mounts": mounts_suite}
SUBJECT = "bentohost"
SCENARIOS = [*(scenario.KEY for scenario in front_suite.SCENARIOS), *mounts_suite.KEYS]


def _arguments() -> argparse.Namespace:
    suites = "; ".join(f"{name}: {' '.join((module.__doc__ or '').split())}"
                       for name, module in SUITES.items())
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=f"Suites are {suites}")
    parser.add_argument("suite", nargs="?", choices=list(SUITES), help="one suite; all if absent")
    parser.add_argument("--quick", action="store_true",
                        help="a smoke test: does every server answer correctly? No report")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each wrk run")
    parser.add_argument("--servers", help="comma-separated; all of them if absent")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS),
                        help="of the front and mounts suites, comma-separated (%(default)s)")
    parser.add_argument("--build", type=Path, default=BENCH.parent / "build",
                        help="build folder of bentohost, the bench's plugins and the C++ peers")
    parser.add_argument("--bentohost", type=Path, help="use this binary instead of the build's")
    parser.add_argument("--raw", type=Path, help="also save every figure as JSON")
    parser.add_argument("--render", type=Path,
                        help="measure nothing; write the report from this JSON")
    parser.add_argument("--out", type=Path, default=BENCH,
                        help="folder of RESULTS.md and the plots")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios.split(",")) - set(SCENARIOS):
        parser.error(f"unknown scenarios: {', '.join(sorted(unknown))}")
    return arguments


def _installed(specs: Sequence[Spec], wanted: set[str] | None) -> list[Spec]:
    """The wanted servers that can be started; prints the others."""
    found = []
    for spec in (spec for spec in specs if wanted is None or spec.key in wanted):
        if not (reason := spec.missing()):
            found.append(spec)
        elif spec.key == SUBJECT:
            sys.exit(f"bentohost is not built: {reason}")
        else:
            print(f"skipped: {spec.label} ({reason})", flush=True)
    return found


class _Suites:
    """The chosen suites on the chosen servers."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._figures: dict[str, dict] = {}
        names = [arguments.suite] if arguments.suite else list(SUITES)
        binary = (arguments.bentohost or arguments.build / "bin/bentohost").resolve()
        built = Built(binary, (arguments.build / "bench").resolve())
        known = {"iris": iris_known(binary), "front": front_suite.known(built),
                 "mounts": mounts_suite.known(built), "reload": iris_known(binary)[:1]}
        wanted = set(arguments.servers.split(",")) if arguments.servers else None
        if unknown := (wanted or set()) - {spec.key for name in names for spec in known[name]}:
            sys.exit(f"unknown servers: {', '.join(sorted(unknown))}")
        self._iris = _installed(known["iris"], wanted) if "iris" in names else None
        self._plans: dict[str, scenarios.Plan] = {}
        for name in (name for name in names if name in OF_SCENARIOS):
            keys = [spec.key for spec in _installed(known[name], wanted)]
            plan = OF_SCENARIOS[name].plan(built, keys, arguments.scenarios.split(","))
            if any(cases for _, cases in plan):
                self._plans[name] = plan

        self._reload = None
        if "reload" in names and _installed(known["reload"], wanted):
            self._reload = (binary, next(binary.parents[1].glob("lib*/**/libiris.so")))

    def quick(self) -> None:
        if self._iris is not None:
            iris_suite.quick(self._iris)
        for plan in self._plans.values():
            scenarios.quick(plan)
        if self._reload is not None:
            with tempfile.TemporaryDirectory() as folder:
                reload_suite.quick(*self._reload, Path(folder))

    def full(self) -> None:
        """Measures and writes one suite after the other."""
        out, rounds, seconds = (self._arguments.out, self._arguments.rounds,
                                self._arguments.seconds)
        knobs = f"--rounds {rounds} --seconds {seconds:g}"
        if self._iris is not None:
            found = iris_suite.run(self._iris, rounds, seconds, f"bench/run.sh iris {knobs}")
            self._save("iris", found.as_json())
            iris_suite.write(found, out)
        for name, plan in self._plans.items():
            measured = OF_SCENARIOS[name].run(plan, rounds, seconds, f"bench/run.sh {name} {knobs}")
            self._save(name, measured.as_json())
            OF_SCENARIOS[name].write(measured, out)
        if self._reload is not None:
            with tempfile.TemporaryDirectory() as folder:
                reloads = reload_suite.run(*self._reload, Path(folder), rounds, 5 * seconds,
                                           f"bench/run.sh reload {knobs}")
            self._save("reload", reloads.as_json())
            reload_suite.write(reloads, out)

    def _save(self, suite: str, figures: dict) -> None:
        self._figures[suite] = figures
        if self._arguments.raw:
            self._arguments.raw.write_text(json.dumps(self._figures, indent=1) + "\n")


def _render(figures: dict, folder: Path) -> None:
    if "iris" in figures:
        iris_suite.write(IrisResults.from_json(figures["iris"]), folder)
    for name, suite in OF_SCENARIOS.items():
        if name in figures:
            suite.write(ScenarioResults.from_json(figures[name]), folder)
    if "reload" in figures:
        reload_suite.write(ReloadResults.from_json(figures["reload"]), folder)


def main() -> None:
    arguments = _arguments()
    if arguments.render:
        _render(json.loads(arguments.render.read_text()), arguments.out)
        return
    suites = _Suites(arguments)
    try:
        if arguments.quick:
            suites.quick()
        else:
            suites.full()
    except (WrongAnswer, RuntimeError) as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
