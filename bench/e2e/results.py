"""The figures of one run of a suite of scenarios, as values: kept while measuring, read by report
and plot."""
from dataclasses import asdict, dataclass, field

from .figures import Spread


class Skipped(Exception):
    """A server cannot take part in a scenario; the message says why."""


@dataclass(frozen=True)
class Sample:
    """The figures of one server in one round of a scenario, at one size."""
    scenario: str
    case: str
    at: int  # connections or streams
    round: int
    figures: dict[str, float]


@dataclass
class Results:
    labels: dict[str, dict[str, str]] = field(default_factory=dict)  # scenario, case: for people
    samples: list[Sample] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    command: str = ""

    def rounds(self, scenario: str) -> int:
        return max((sample.round for sample in self.samples if sample.scenario == scenario),
                   default=0)

    def _by_round(self, scenario: str, case: str, at: int, name: str) -> dict[int, float]:
        return {sample.round: sample.figures[name] for sample in self.samples
                if (sample.scenario, sample.case, sample.at) == (scenario, case, at)
                and name in sample.figures}

    def spread(self, scenario: str, case: str, at: int, name: str) -> Spread | None:
        return Spread.of(self._by_round(scenario, case, at, name).values())

    def ratio(self, scenario: str, case: str, other: str, at: int, name: str) -> Spread | None:
        """Ratios within the same round, so that drift cancels out."""
        ours = self._by_round(scenario, case, at, name)
        theirs = self._by_round(scenario, other, at, name)
        return Spread.of(ours[number] / theirs[number] for number in ours if theirs.get(number))

    def difference(self, scenario: str, case: str, other: str, at: int,
                   name: str) -> Spread | None:
        """Differences within the same round."""
        ours = self._by_round(scenario, case, at, name)
        theirs = self._by_round(scenario, other, at, name)
        return Spread.of(ours[number] - theirs[number] for number in ours if number in theirs)

    def skip(self, what: str, why: str) -> None:
        text = f"{what}: {why}"
        if text not in self.skipped:
            self.skipped.append(text)
            print(f"skipped: {text}", flush=True)

    def as_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict) -> "Results":
        samples = [Sample(**sample) for sample in raw["samples"]]
        return cls(raw["labels"], samples, raw["skipped"], raw["machine"], raw["command"])
