"""Plots as inline SVG: pairs of bars, spreads of delays, ramps. Colours are classes of the page (``page``),
so they follow its light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH = 640
LEFT, RIGHT = 86, 16
"""Room for names at the left, and for the last number at the right."""


class Scale(NamedTuple):
    """From a range of numbers, by their logarithms, to a range of pixels."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a number lies; what is outside lies at the end."""
        inside = min(max(value, self.low), self.high)
        share = log10(inside / self.low) / log10(self.high / self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def decades(self) -> list[float]:
        """Powers of ten within."""
        return [10.0**power for power in range(ceil(log10(self.low)), floor(log10(self.high)) + 1)]


def scale(values: Sequence[float], begin: float, end: float) -> Scale:
    """Whole decades around the numbers."""
    there = [value for value in values if value > 0] or [1.0]
    low, high = floor(log10(min(there))), ceil(log10(max(there)))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), begin, end)


class Bar(NamedTuple):
    """A number of ours beside that of a peer."""

    name: str
    ours: float
    peer: float | None
    note: str


def bars(what: str, rows: Sequence[Bar]) -> str:
    """A pair of bars for each row, on one logarithmic scale."""
    values = [value for row in rows for value in (row.ours, row.peer) if value]
    across = scale(values, LEFT, WIDTH - RIGHT - 50)
    bottom = 34 * len(rows) + 8
    parts = [_upright(across, value, bottom) for value in across.decades()]
    for number, row in enumerate(rows):
        top = 34 * number + 6
        parts.append(text(LEFT - 8, top + 17, row.name, anchor="end"))
        parts.append(_bar(across, top, row.ours, "ours", f"{row.name}: ours {short(row.ours)}"))
        if row.peer:
            parts.append(_bar(across, top + 13, row.peer, "peer", f"{row.name}: peer {short(row.peer)}"))
        end = across.at(max(row.ours, row.peer or 0))
        parts.append(text(end + 6, top + 17, row.note, strong=True))
    return svg(what, bottom + 20, parts)


def _bar(across: Scale, top: float, value: float, kind: str, title: str) -> str:
    width = max(1.0, across.at(value) - LEFT)
    return (
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width:.1f}" height="11" rx="2">'
        f"<title>{escape(title)}</title></rect>"
    )


class Spread(NamedTuple):
    """Percentiles of delays of both, from the least on."""

    name: str
    ours: Sequence[float]
    peer: Sequence[float]


def spreads(what: str, names: Sequence[str], rows: Sequence[Spread]) -> str:
    """For each row two upright lines with a mark at each percentile: ours at the left, the peer's beside."""
    values = [value for row in rows for value in (*row.ours, *row.peer)]
    up = scale(values, 178, 12)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(rows))
    parts = [_level(up, value) for value in up.decades()]
    for number, row in enumerate(rows):
        middle = LEFT + step * (number + 0.5)
        parts.append(text(middle, 198, row.name, anchor="middle"))
        for kind, shift, marks in (("ours", -14, row.ours), ("peer", 14, row.peer)):
            parts += _strip(up, middle + shift, marks, kind, names)
    return svg(what, 206, parts)


def _strip(up: Scale, x: float, marks: Sequence[float], kind: str, names: Sequence[str]) -> list[str]:
    if not marks:
        return []
    low, high = up.at(marks[0]), up.at(marks[-1])
    line = f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{low}" y2="{high}"/>'
    return [line, *(_mark(up, x, value, kind, name) for value, name in zip(marks, names, strict=True))]


def _mark(up: Scale, x: float, value: float, kind: str, name: str) -> str:
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{up.at(value)}" r="3.5">'
        f"<title>{escape(f'{kind} {name}: {short(value)}')}</title></circle>"
    )


class Line(NamedTuple):
    """One curve: points from the left to the right."""

    kind: str
    """``ours`` or ``peer``, and ``faint`` where another is the one to look at."""
    name: str
    points: Sequence[tuple[float, float]]


def curves(what: str, lines: Sequence[Line], limit: float) -> str:
    """Delays over load, both logarithmic; ``limit`` is drawn across."""
    points = [point for line in lines for point in line.points]
    across = scale([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = scale([limit, *(y for _, y in points)], 214, 12)
    parts = [_level(up, value) for value in up.decades()]
    parts += [_upright(across, value, 214) for value in across.decades()]
    parts.append(
        f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up.at(limit)}" y2="{up.at(limit)}"/>'
    )
    for line in lines:
        path = " ".join(f"{across.at(x)},{up.at(y)}" for x, y in line.points)
        parts.append(
            f'<polyline class="{line.kind}" points="{path}"><title>{escape(line.name)}</title></polyline>'
        )
    return svg(what, 236, parts)


def _level(up: Scale, value: float) -> str:
    y = up.at(value)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    return line + text(LEFT - 8, y + 4, short(value), anchor="end")


def _upright(across: Scale, value: float, bottom: float) -> str:
    x = across.at(value)
    line = f'<line class="grid" x1="{x}" x2="{x}" y1="4" y2="{bottom}"/>'
    return line + text(x, bottom + 16, short(value), anchor="middle")


def text(x: float, y: float, words: str, *, anchor: str = "start", strong: bool = False) -> str:
    """A few words."""
    kind = ' class="strong"' if strong else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def svg(what: str, height: float, parts: Sequence[str]) -> str:
    """The whole, as wide as there is room; ``what``: for who cannot see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(what)}">{"".join(parts)}</svg>'
    )


def short(value: float) -> str:
    """A number in three digits: 12.3k."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"
