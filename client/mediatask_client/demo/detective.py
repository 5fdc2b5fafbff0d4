"""The detective's outline: hat, coat and head. Unit coordinates: feet at (0, 0), one unit tall, y up."""

from __future__ import annotations

from PIL import ImageDraw

Outline = list[tuple[float, float]]

COAT: Outline = [
    (-0.115, 0.02), (-0.135, 0.16), (-0.120, 0.38), (-0.130, 0.55), (-0.160, 0.66), (-0.150, 0.755), (-0.100, 0.805),
    (-0.050, 0.830), (-0.062, 0.868), (-0.020, 0.845), (0.020, 0.845), (0.062, 0.868), (0.050, 0.830), (0.100, 0.805),
    (0.150, 0.755), (0.160, 0.66), (0.130, 0.55), (0.120, 0.38), (0.135, 0.16), (0.115, 0.02), (0.020, 0.02),
    (0.010, 0.17), (-0.010, 0.17), (-0.020, 0.02),
]  # fmt: skip
SHOES: list[Outline] = [
    [(-0.11, 0), (-0.11, 0.04), (-0.02, 0.04), (-0.02, 0)],
    [(0.02, 0), (0.02, 0.04), (0.11, 0.04), (0.11, 0)],
]
HEAD = (-0.047, 0.825, 0.047, 0.945)
BRIM = (-0.112, 0.908, 0.112, 0.948)
CROWN: Outline = [
    (-0.068, 0.925), (-0.060, 0.985), (-0.030, 1.0), (0.0, 0.985), (0.030, 1.0), (0.060, 0.985), (0.068, 0.925),
]  # fmt: skip


def draw_detective(
    draw: ImageDraw.ImageDraw, x: float, y: float, height: float, fill: int | tuple[int, int, int], *, squash: float = 1
) -> None:
    """Fill the outline with his feet at (x, y) pixels; a negative `squash` mirrors him downwards, as water does."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return x + point[0] * height, y - point[1] * height * squash

    def box(edges: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        (left, one), (right, other) = place(edges[:2]), place(edges[2:])
        return left, min(one, other), right, max(one, other)

    for outline in (COAT, CROWN, *SHOES):
        draw.polygon([place(point) for point in outline], fill=fill)
    draw.ellipse(box(HEAD), fill=fill)
    draw.ellipse(box(BRIM), fill=fill)
