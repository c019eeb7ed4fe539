"""The figures of one run of the suite, as values: kept while measuring, read by report and plot."""
from dataclasses import asdict, dataclass, field

from ..figures import Spread

CONNECTIONS = (1, 16, 64, 256)
LOG_MODES = ("as it comes", "off")


@dataclass(frozen=True)
class Cell:
    """One wrk run."""
    server: str
    log: str
    round: int
    connections: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # of the server's process tree, for each request
    errors: int


@dataclass(frozen=True)
class Life:
    """One start of a server: its figures apart from requests."""
    server: str
    log: str
    round: int
    ready_ms: float
    rss_mb: float
    pss_mb: float
    idle_cpu_ms: float  # for each second without requests


@dataclass(frozen=True)
class Kill:
    lost: int
    ok: int
    unavailable: int
    other: int
    served_ms: float | None


@dataclass
class Results:
    labels: dict[str, str] = field(default_factory=dict)  # server to the name that people read
    cells: list[Cell] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    command: str = ""

    def cell(self, server: str, log: str, connections: int, name: str) -> Spread | None:
        return Spread.of(getattr(cell, name) for cell in self.cells
                         if (cell.server, cell.log, cell.connections) == (server, log, connections))

    def life(self, server: str, log: str, name: str) -> Spread | None:
        return Spread.of(getattr(life, name) for life in self.lives
                         if (life.server, life.log) == (server, log))

    def ratio(self, server: str, other: str, log: str, connections: int,
              name: str = "rps") -> Spread | None:
        """Ratios within the same round, so that drift cancels out."""
        def by_round(key: str) -> dict[int, float]:
            return {cell.round: getattr(cell, name) for cell in self.cells
                    if (cell.server, cell.log, cell.connections) == (key, log, connections)}
        ours, theirs = by_round(server), by_round(other)
        return Spread.of(ours[number] / theirs[number] for number in ours if number in theirs)

    def as_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict) -> "Results":
        return cls(raw["labels"], [Cell(**each) for each in raw["cells"]],
                   [Life(**each) for each in raw["lives"]], [Kill(**each) for each in raw["kills"]],
                   raw["machine"], raw["command"])
