"""The picture of the front doors: requests per second and p99 of each call, by the number of clients. SVG, by hand."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, PANEL, HEIGHT, GAP, LEFT, TOP = 860, 180, 150, 28, 56, 58
COLOURS = ("#0b7285", "#c2410c")
FIGURES = {"requests_per_s": "requests per second", "p99_ms": "p99 in ms"}


def plot(results: dict[str, Any], path: Path) -> None:
    """Write the picture of the results of `bench rest`: both scales of each panel are logarithmic."""
    rounds: dict[str, list[dict[str, Any]]] = {name: ones for name, ones in results["rounds"].items() if ones}
    calls = list(next(iter(rounds.values()))[0])
    height = TOP + len(FIGURES) * (HEIGHT + 2 * GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, name in enumerate(rounds):
        parts.append(f'<text x="{LEFT + 180 * number}" y="20" fill="{COLOURS[number]}">{escape(name)}</text>')
    for row, (figure, words) in enumerate(FIGURES.items()):
        values = [
            one[figure] for ones in rounds.values() for each in ones for by in each.values() for one in by.values()
        ]
        scale = _Scale(values, TOP + row * (HEIGHT + 2 * GAP))
        parts.append(f'<text x="{LEFT}" y="{scale.top - 8}">{words}, by clients</text>')
        for column, call in enumerate(calls):
            left = LEFT + column * (PANEL + 20)
            parts += scale.grid(left, call, labelled=column == 0)
            for number, ones in enumerate(rounds.values()):
                parts += scale.curve(left, [each[call] for each in ones], figure, COLOURS[number])
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


class _Scale:
    """A logarithmic axis, whole powers of ten long."""

    def __init__(self, values: list[float], top: float) -> None:
        self.top = top
        self._least = math.floor(math.log10(min(values)))
        self._most = math.ceil(math.log10(max(values)))

    def y(self, value: float) -> float:
        part = (math.log10(value) - self._least) / (self._most - self._least)
        return round(self.top + HEIGHT * (1 - part), 1)

    def grid(self, left: int, call: str, *, labelled: bool) -> list[str]:
        parts = []
        for power in range(self._least, self._most + 1):
            y = self.y(10**power)
            parts.append(f'<path d="M{left} {y}h{PANEL - 20}" stroke="#ddd"/>')
            if labelled:
                parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{10**power:g}</text>')
        return [*parts, f'<text x="{left + 8}" y="{self.top + 14}" fill="#666">{escape(call)}</text>']

    def curve(self, left: int, ones: list[dict[str, Any]], figure: str, colour: str) -> list[str]:
        parts, middle = [], []
        clients = list(ones[0])
        for place, number in enumerate(clients):
            x = left + 20 + place * (PANEL - 60) / max(len(clients) - 1, 1)
            values = [one[number][figure] for one in ones]
            parts += [f'<circle cx="{x}" cy="{self.y(value)}" r="2.5" fill="{colour}"/>' for value in values]
            middle.append(f"{x},{self.y(statistics.median(values))}")
            parts.append(f'<text x="{x}" y="{self.top + HEIGHT + 16}" text-anchor="middle" fill="#666">{number}</text>')
        return [*parts, f'<polyline points="{" ".join(middle)}" fill="none" stroke="{colour}" stroke-width="1.6"/>']
