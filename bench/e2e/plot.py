"""Draws a chart of grouped bars on logarithmic scales, as plain SVG."""
import math
from dataclasses import dataclass
from html import escape
from typing import Iterable, Sequence

from .figures import Spread

LEFT, RIGHT, LEGEND_TOP, LEGEND_LINE = 76, 24, 98, 22
PANEL_HEIGHT, PANEL_ABOVE, PANEL_BELOW = 226, 62, 40
GROUP_GAP = 36
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


@dataclass(frozen=True)
class Series:
    key: str
    label: str
    colour: str


@dataclass(frozen=True)
class Panel:
    title: str
    groups: Sequence[tuple[str, dict[str, Spread | None]]]  # a name, and a bar for each series


@dataclass(frozen=True)
class Chart:
    title: str
    note: str
    series: Sequence[Series]
    panels: Sequence[Panel]
    width: int = 960


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
    """Logarithmic: starts at a whole decade, with room for the highest label at the top."""
    low: int  # exponents of ten
    high: float
    top: float

    @classmethod
    def over(cls, spreads: Iterable[Spread], top: float) -> "_Scale":
        lows, highs = zip(*((spread.low, spread.high) for spread in spreads))
        low = math.floor(math.log10(max(min(lows), 1e-6)))
        return cls(low, max(low + 1, math.log10(max(highs)) + 0.2), top)

    def y(self, value: float) -> float:
        share = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return self.top + PANEL_HEIGHT * (1 - share)


def _bar(x: float, width: float, spread: Spread, scale: _Scale, colour: str) -> list[str]:
    y, foot, middle = scale.y(spread.median), scale.top + PANEL_HEIGHT, x + width / 2
    low, high = scale.y(spread.low), scale.y(spread.high)
    return [f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{foot - y:.1f}" '
            f'fill="{colour}"/>', _line(middle, low, middle, high, "#222"),
            _text(middle, min(y, high) - 5, "value", _short(spread.median), "middle")]


def _frame(panel: Panel, scale: _Scale, width: int) -> list[str]:
    drawn = [_text(LEFT, scale.top - 24, "panel", panel.title)]
    for exponent in range(scale.low, math.floor(scale.high) + 1):
        y = scale.y(10.0**exponent)
        drawn += [_line(LEFT, y, width - RIGHT, y, "#E2E2E2" if exponent > scale.low else "#555"),
                  _text(LEFT - 8, y + 4, "axis", f"{10.0**exponent:,.6g}", "end")]
    return drawn


def _panel(chart: Chart, panel: Panel, top: float) -> list[str]:
    known = [spread for _, bars in panel.groups for spread in bars.values() if spread is not None]
    if not known:
        return []
    scale = _Scale.over(known, top)
    drawn = _frame(panel, scale, chart.width)
    group_width = (chart.width - LEFT - RIGHT) / len(panel.groups)
    bar_width = (group_width - GROUP_GAP) / len(chart.series)
    for group, (name, bars) in enumerate(panel.groups):
        left = LEFT + group * group_width
        for place, series in enumerate(chart.series):
            if (spread := bars.get(series.key)) is not None:
                x = left + GROUP_GAP / 2 + place * bar_width
                drawn += _bar(x + 2, bar_width - 4, spread, scale, series.colour)
        drawn.append(_text(left + group_width / 2, top + PANEL_HEIGHT + 21, "group", name,
                           "middle"))
    return drawn


def _legend(chart: Chart) -> tuple[list[str], float]:
    """The legend in the order of the bars, each entry as wide as its name; and where it ends."""
    x, y, drawn = float(LEFT), float(LEGEND_TOP), []
    for series in chart.series:
        width = 34 + 7.1 * len(series.label)
        if x + width > chart.width and x > LEFT:
            x, y = float(LEFT), y + LEGEND_LINE
        drawn += [f'<rect x="{x:.1f}" y="{y - 11:.1f}" width="13" height="13" '
                  f'fill="{series.colour}"/>', _text(x + 18, y, "legend", series.label)]
        x += width
    return drawn, y


def draw(chart: Chart) -> str:
    legend, top = _legend(chart)
    parts = [_text(LEFT, 40, "title", chart.title), _text(LEFT, 64, "note", chart.note), *legend]
    for panel in chart.panels:
        parts += _panel(chart, panel, top + PANEL_ABOVE)
        top += PANEL_ABOVE + PANEL_HEIGHT + PANEL_BELOW
    width, height = chart.width, round(top + 10)
    described = ", ".join(panel.title for panel in chart.panels)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">', f"<title>{escape(chart.title)}</title>",
        f"<desc>{escape(described)}</desc>", f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>', *parts, "</svg>"]) + "\n"
