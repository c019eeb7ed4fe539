"""The figures of one benchmark, as values: kept while measuring, read by report and plot."""
import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path

CONNECTIONS = (1, 16, 64)
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
    """One start of a server: what it takes besides requests."""
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


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and their extremes."""
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Results:
    labels: dict[str, str] = field(default_factory=dict)  # server to the name that people read
    cells: list[Cell] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    machine: list[str] = field(default_factory=list)
    command: str = ""

    def cell(self, server: str, log: str, connections: int, name: str) -> Spread | None:
        values = [getattr(cell, name) for cell in self.cells
                  if (cell.server, cell.log, cell.connections) == (server, log, connections)]
        return Spread.of(values) if values else None

    def life(self, server: str, log: str, name: str) -> Spread | None:
        values = [getattr(life, name) for life in self.lives
                  if (life.server, life.log) == (server, log)]
        return Spread.of(values) if values else None

    def ratio(self, server: str, other: str, log: str, connections: int) -> Spread | None:
        """Of requests per second, each to the other's of the same round: drift cancels out."""
        def by_round(key: str) -> dict[int, float]:
            return {cell.round: cell.rps for cell in self.cells
                    if (cell.server, cell.log, cell.connections) == (key, log, connections)}
        ours, theirs = by_round(server), by_round(other)
        values = [ours[number] / theirs[number] for number in ours if number in theirs]
        return Spread.of(values) if values else None

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Results":
        raw = json.loads(path.read_text())
        return cls(raw["labels"], [Cell(**each) for each in raw["cells"]],
                   [Life(**each) for each in raw["lives"]], [Kill(**each) for each in raw["kills"]],
                   raw["machine"], raw["command"])
