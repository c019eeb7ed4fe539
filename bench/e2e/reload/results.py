"""The figures of one run of the suite, as values: kept while measuring, read by the report."""
from dataclasses import asdict, dataclass, field

from ..figures import Spread


@dataclass(frozen=True)
class Round:
    """The figures of one host: runs without reloads and with reloads at an even pace."""
    requests: int            # of the run that compares every response
    failed: int              # other than 200 with the right body, or no response
    closed: int              # connections
    reloads: int
    rps_without: float
    rps_with: float
    p99_ms_without: float
    p99_ms_with: float
    rps_often: float         # with the same number of reloads in a third of the time
    p99_ms_often: float
    steps_ms: dict[str, list[float]]  # of each reload, under load; "all" is the sum
    seen_ms: list[float]     # idle, with --reload: from the rename of a new file to the swap
    kb_per_generation: float


@dataclass(frozen=True)
class Crash:
    lost: int
    refused: int
    unavailable: int
    served_ms: float | None


@dataclass
class Results:
    rounds: list[Round] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    command: str = ""
    pace_ms: float = 0.0     # from one reload to the next, in the run with frequent reloads

    def of(self, name: str) -> Spread | None:
        return Spread.of(getattr(each, name) for each in self.rounds)

    def step(self, name: str) -> Spread | None:
        return Spread.of(ms for each in self.rounds for ms in each.steps_ms.get(name, []))

    def as_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, figures: dict) -> "Results":
        return cls([Round(**each) for each in figures["rounds"]],
                   [Crash(**each) for each in figures["crashes"]],
                   figures["machine"], figures["command"], figures["pace_ms"])
