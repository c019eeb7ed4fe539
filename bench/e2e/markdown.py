"""RESULTS.md: writes each suite's section between its two markers, and keeps all text outside of
them."""
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from .figures import Spread, full

SKELETON = """# Results

The speed and cost of bentohost beside its peers, written by `bench/run.sh`; [README](README.md)
says how to read it. Text outside of the markers is kept.
"""


@dataclass(frozen=True)
class Target:
    """A promise, and its measured figure for each column of the table."""
    text: str
    figures: Sequence[Spread | None]
    holds: Callable[[float], bool]

    def row(self) -> list[str]:
        return [self.text, *("" if figure is None else
                             f"{full(figure)} {'✓' if self.holds(figure.median) else '✗'}"
                             for figure in self.figures)]


def table(head: list[str], rows: list[list[str]], words: int = 1) -> list[str]:
    """Columns after the first `words` hold figures, and are aligned right."""
    rule = ["---"] * words + ["--:"] * (len(head) - words)
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


def folded(summary: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def replace_section(path: Path, name: str, lines: list[str]) -> None:
    """Writes the section between its markers, which are appended if they are missing."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = path.read_text() if path.exists() else SKELETON
    if begin not in old or end not in old:
        old = old.rstrip() + f"\n\n{begin}\n{end}\n"
    before, _, rest = old.partition(begin)
    after = rest.partition(end)[2]
    text = "\n".join(lines)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")
