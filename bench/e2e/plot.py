"""results.svg: throughput above, tail latency below, by server and connections. Plain SVG."""
import math
from dataclasses import dataclass
from html import escape
from typing import Iterable

from .results import CONNECTIONS, LOG_MODES, Results, Spread

WIDTH, HEIGHT = 960, 764
LEFT, RIGHT = 76, 24
PANEL_TOPS, PANEL_HEIGHT = (160, 488), 226
GROUP_GAP = 36
# Okabe and Ito's palette, which colour-blind readers can tell apart; the floor is grey.
COLOURS = {"bentohost": "#0072B2", "nginx": "#8C8C8C", "fastapi-def": "#E69F00",
           "fastapi-async": "#D55E00", "fastapi-uvloop": "#CC79A7", "flask": "#009E73"}
STYLE = """
  text { font-family: 'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif; fill: #222; }
  .title { font-size: 21px; font-weight: bold; }
  .note { font-size: 13px; fill: #555; }
  .panel { font-size: 15px; font-weight: bold; }
  .axis { font-size: 12px; fill: #555; }
  .group { font-size: 13px; }
  .value { font-size: 11px; }
  .legend { font-size: 12px; }
"""


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.0f}k" if value >= 10_000 else f"{value / 1000:.1f}k"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _text(x: float, y: float, style: str, words: str, anchor: str = "start") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
            f'{escape(words)}</text>')


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" fill="none"/>'


@dataclass(frozen=True)
class _Scale:
    """Logarithmic: a whole decade at the panel's foot, room for the highest label at its top."""
    low: int  # exponents of ten
    high: float
    top: float

    @classmethod
    def over(cls, spreads: Iterable[Spread], top: float) -> "_Scale":
        lows, highs = zip(*((spread.low, spread.high) for spread in spreads))
        low = math.floor(math.log10(min(lows)))
        return cls(low, max(low + 1, math.log10(max(highs)) + 0.2), top)

    def y(self, value: float) -> float:
        share = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return self.top + PANEL_HEIGHT * (1 - share)


@dataclass(frozen=True)
class _Panel:
    title: str
    figure: str  # a name of Cell
    top: float


PANELS = (_Panel("Requests per second: higher is better", "rps", PANEL_TOPS[0]),
          _Panel("p99 latency, ms: lower is better", "p99_ms", PANEL_TOPS[1]))


def _bar(x: float, width: float, spread: Spread, scale: _Scale, server: str) -> list[str]:
    y, foot, middle = scale.y(spread.median), scale.top + PANEL_HEIGHT, x + width / 2
    low, high = scale.y(spread.low), scale.y(spread.high)
    return [f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{foot - y:.1f}" '
            f'fill="{COLOURS.get(server, "#56B4E9")}"/>',
            _line(middle, low, middle, high, "#222"),
            _text(middle, min(y, high) - 5, "value", _short(spread.median), "middle")]


def _frame(panel: _Panel, scale: _Scale) -> list[str]:
    drawn = [_text(LEFT, panel.top - 24, "panel", panel.title)]
    for exponent in range(scale.low, math.floor(scale.high) + 1):
        y = scale.y(10.0**exponent)
        drawn += [_line(LEFT, y, WIDTH - RIGHT, y, "#E2E2E2" if exponent > scale.low else "#555"),
                  _text(LEFT - 8, y + 4, "axis", f"{10.0**exponent:,.6g}", "end")]
    return drawn


def _panel(results: Results, log: str, panel: _Panel) -> list[str]:
    spreads = {(server, connections): spread for server in results.labels
               for connections in CONNECTIONS
               if (spread := results.cell(server, log, connections, panel.figure)) is not None}
    if not spreads:
        return []
    scale = _Scale.over(spreads.values(), panel.top)
    drawn = _frame(panel, scale)
    group_width = (WIDTH - LEFT - RIGHT) / len(CONNECTIONS)
    bar_width = (group_width - GROUP_GAP) / len(results.labels)
    for group, connections in enumerate(CONNECTIONS):
        left = LEFT + group * group_width
        for place, server in enumerate(results.labels):
            if (server, connections) in spreads:
                x = left + GROUP_GAP / 2 + place * bar_width
                drawn += _bar(x + 2, bar_width - 4, spreads[server, connections], scale, server)
        drawn.append(_text(left + group_width / 2, panel.top + PANEL_HEIGHT + 21, "group",
                           f"{connections} connection{'s' if connections > 1 else ''}", "middle"))
    return drawn


def _legend(results: Results) -> list[str]:
    """In the order of the bars, each entry as wide as its name needs."""
    x, y, drawn = float(LEFT), 98, []
    for server, label in results.labels.items():
        drawn += [f'<rect x="{x:.1f}" y="{y - 11}" width="13" height="13" '
                  f'fill="{COLOURS.get(server, "#56B4E9")}"/>', _text(x + 18, y, "legend", label)]
        x += 34 + 7.1 * len(label)
    return drawn


def draw(results: Results, log: str = LOG_MODES[0]) -> str:
    title = "An iris row classified over HTTP: bentohost beside its peers"
    rounds = max((cell.round for cell in results.cells), default=0)
    note = (f"Logarithmic scales. Access log {log}. Bars: medians of {rounds} rounds; "
            "thin lines: lowest to highest.")
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'width="{WIDTH}" height="{HEIGHT}" role="img">', f"<title>{escape(title)}</title>",
             f"<desc>{escape(' and '.join(panel.title for panel in PANELS))}</desc>",
             f"<style>{STYLE}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
             _text(LEFT, 40, "title", title), _text(LEFT, 64, "note", note), *_legend(results)]
    for panel in PANELS:
        parts += _panel(results, log, panel)
    return "\n".join([*parts, "</svg>"]) + "\n"
