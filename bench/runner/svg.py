"""Charts by hand: a bar for each contender, with a line from the lowest to the highest repetition; or a line over time."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from .measure import Spread
from .table import number

WIDTH = 760
LABEL_X, BARS_X, VALUE_ROOM = 16, 150, 150
BAR_HEIGHT, BAR_GAP, GROUP_GAP, TITLE_HEIGHT = 18, 5, 34, 46
LINES_HEIGHT, LINE_LABELS, LABEL_HEIGHT = 240, 250, 17

#: Colours that keep their distance for colour-blind readers, a little lighter on dark grounds.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.quiet { fill: #59636e }
.spread { stroke: #1f2328; stroke-width: 1.5 }
.axis { stroke: #d1d9e0 }
.dakghar { fill: #0072b2 } .node { fill: #d98200 } .ceiling { fill: #8c959f }
.line { fill: none; stroke-width: 2 }
.dakghar.line { stroke: #0072b2 } .node.line { stroke: #d98200 }
.embedded.line { stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 } .spread { stroke: #e6edf3 } .axis { stroke: #3d444d }
  .dakghar { fill: #4aa8e0 } .node { fill: #f0a63c } .ceiling { fill: #7d8590 }
  .line { fill: none } .dakghar.line { stroke: #4aa8e0 } .node.line { stroke: #f0a63c }
}
"""


@dataclass(frozen=True)
class Bar:
    """One contender in one group."""

    contender: str
    spread: Spread


@dataclass(frozen=True)
class Line:
    """A value for each second."""

    contender: str
    backend: str
    values: list[float]


@dataclass(frozen=True)
class Group:
    """The bars of one case."""

    label: str
    bars: list[Bar]


def chart(title: str, unit: str, groups: list[Group]) -> str:
    """The SVG document. All bars share one scale that starts at zero."""
    greatest = max((bar.spread.high for group in groups for bar in group.bars), default=0) or 1
    scale = (WIDTH - BARS_X - VALUE_ROOM) / greatest
    parts, y = [], TITLE_HEIGHT
    for group in groups:
        parts.append(f'<text x="{LABEL_X}" y="{y + 12}" class="quiet">{escape(group.label)}</text>')
        y += 20
        for bar in group.bars:
            parts += _bar(bar, y, scale, unit)
            y += BAR_HEIGHT + BAR_GAP
        y += GROUP_GAP - 20
    axis = f'<line class="axis" x1="{BARS_X}" y1="{TITLE_HEIGHT}" x2="{BARS_X}" y2="{y - 12}"/>'
    return _document(title, y, [axis, *parts])


def lines(title: str, unit: str, series: list[Line]) -> str:
    """The SVG document: one line for each contender, from zero up, over seconds."""
    bottom = TITLE_HEIGHT + LINES_HEIGHT
    greatest = max(max(line.values) for line in series)
    seconds = max(len(line.values) for line in series)
    parts = [f'<polyline class="axis" fill="none" points="{LABEL_X},{TITLE_HEIGHT} {LABEL_X},{bottom} {WIDTH - LINE_LABELS},{bottom}"/>']
    labels = []
    for line in series:
        at = [
            (LABEL_X + (WIDTH - LINE_LABELS - LABEL_X) * second / max(1, seconds - 1), bottom - LINES_HEIGHT * value / greatest)
            for second, value in enumerate(line.values)
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline class="{line.contender} {line.backend} line" points="{points}"/>')
        labels.append((at[-1][1] + 4.5, f"{line.contender}, {line.backend}: {number(line.values[-1])} {unit}"))
    y = 0.0
    for wanted, label in sorted(labels):
        y = max(wanted, y + LABEL_HEIGHT)
        parts.append(f'<text x="{WIDTH - LINE_LABELS + 8}" y="{y:.1f}">{escape(label)}</text>')
    parts.append(f'<text x="{WIDTH - LINE_LABELS}" y="{bottom + 18}" text-anchor="end" class="quiet">{seconds} s</text>')
    return _document(title, bottom + 30, parts)


def _document(title: str, height: int, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style><text x="{LABEL_X}" y="26" class="title">{escape(title)}</text>'
    )
    return "\n".join([head, *parts, "</svg>\n"])


def _bar(bar: Bar, y: int, scale: float, unit: str) -> list[str]:
    middle = y + BAR_HEIGHT / 2
    end = BARS_X + bar.spread.median * scale
    low, high = (BARS_X + value * scale for value in (bar.spread.low, bar.spread.high))
    value_x = max(end, high) + 8
    return [
        f'<text x="{BARS_X - 8}" y="{middle + 4.5}" text-anchor="end">{bar.contender}</text>',
        f'<rect class="{bar.contender}" x="{BARS_X}" y="{y}" width="{max(1.0, end - BARS_X):.1f}" height="{BAR_HEIGHT}" rx="2"/>',
        f'<line class="spread" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
        f'<text x="{value_x:.1f}" y="{middle + 4.5}">{number(bar.spread.median)} {escape(unit)}</text>',
    ]
