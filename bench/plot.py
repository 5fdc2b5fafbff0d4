"""The picture of a burst: how long tasks waited for their Job, a line for each round. SVG, written by hand.

The files are small and readable in a diff, and nothing has to be installed for two sets of lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 170, 40, 48
COLOURS = ("#0b7285", "#c2410c")
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
TICKS = 6
GOAL_SECONDS = 4


def plot(results: dict[str, Any], path: Path) -> None:
    """Write the picture of the results of `bench burst`."""
    rounds: dict[str, list[dict[str, Any]]] = results["rounds"]
    end: float = max(GOAL_SECONDS * 1.5, *(one["create_to_job_s"][-1] for ones in rounds.values() for one in ones))
    x_step = next((step for step in STEPS if end / step <= TICKS), STEPS[-1])

    def x(seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * seconds / end, 1)

    def y(part: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">A burst of {results["tasks"]} tasks: share that has its Job</text>',
    ]
    for percent in range(0, 101, 25):
        parts.append(f'<path d="M{LEFT} {y(percent / 100)}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(percent / 100) + 4}" text-anchor="end">{percent} %</text>')
    for seconds in range(0, int(end) + 1, x_step):
        parts.append(f'<text x="{x(seconds)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{seconds}</text>')
    centre = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<text x="{centre}" y="{HEIGHT - 8}" text-anchor="middle">seconds after the task was created</text>',
        f'<path d="M{x(GOAL_SECONDS)} {y(0)}V{y(1)}" stroke="#888" stroke-dasharray="4 4"/>',
        f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 60}" fill="#666">dashed: goal, p99</text>',
    ]
    for number, (name, ones) in enumerate(rounds.items()):
        colour = COLOURS[number]
        for one in ones:
            curve = one["create_to_job_s"]
            points = " ".join(f"{x(at)} {y(index / (len(curve) - 1))}" for index, at in enumerate(curve))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(
            f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 12 + 22 * number}" fill="{colour}">{escape(name)}</text>'
        )
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
