"""Combines the figures of several rounds, and formats them for people."""
import statistics
from dataclasses import dataclass
from typing import Iterable


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and their extremes."""
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        known = list(values)
        return cls(statistics.median(known), min(known), max(known)) if known else None


def number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    if value >= 1000:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def median(spread: Spread | None) -> str:
    return "" if spread is None else number(spread.median)


def full(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{number(spread.median)} ({number(spread.low)}–{number(spread.high)})"
