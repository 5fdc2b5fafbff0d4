"""A drawing surface in unit coordinates: x right and y down, both 0..1, whatever the size in pixels.

Everything is drawn larger than wanted and reduced at the end, which gives smooth edges from plain Pillow calls.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]
Point = tuple[float, float]


def rgb(colour: Colour) -> tuple[int, int, int]:
    """The colour as Pillow wants it: integers, clipped to 0..255."""
    red, green, blue = (min(255, max(0, round(channel))) for channel in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` with ``share`` (0..1) of ``second``."""
    a, b = first, second
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def scale(colour: Colour, factor: float) -> Colour:
    """The colour made darker (< 1) or lighter (> 1)."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


@functools.lru_cache(maxsize=64)
def _glow_mask(radius: int) -> Image.Image:
    axis = np.linspace(-1, 1, 2 * radius, dtype=np.float32)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    return Image.fromarray((np.clip(1 - distance, 0, 1) ** 2 * 255).astype(np.uint8))


class Canvas:
    """A square RGB picture of ``size`` pixels."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.image = Image.new("RGB", (size, size))
        self._draw = ImageDraw.Draw(self.image)

    def _points(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.size, y * self.size) for x, y in points]

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        if right > left and bottom > top:
            self._draw.rectangle(self._points([(left, top), (right, bottom)]), fill=rgb(colour))

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self._draw.polygon(self._points(points), fill=rgb(colour))

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        box = self._points([(x - radius_x, y - radius_y), (x + radius_x, y + radius_y)])
        self._draw.ellipse(box, fill=rgb(colour))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        self._draw.line(self._points(points), fill=rgb(colour), width=max(1, round(width * self.size)))

    def gradient(self, top: float, bottom: float, upper: Colour, lower: Colour) -> None:
        """A vertical gradient between the heights ``top`` and ``bottom``, over the full width."""
        column = np.linspace(upper, lower, 64, dtype=np.float32).clip(0, 255).astype(np.uint8)
        first, last = round(top * self.size), round(bottom * self.size)
        if last > first:
            strip = Image.fromarray(column[:, None, :]).resize((self.size, last - first), Image.Resampling.BILINEAR)
            self.image.paste(strip, (0, first))

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """A soft round light; ``strength`` (0..1) is its opacity in the middle."""
        pixels = max(2, round(radius * self.size))
        mask = _glow_mask(pixels)
        if strength < 1:
            mask = mask.point(lambda value: round(value * strength))
        corner = (round(x * self.size) - pixels, round(y * self.size) - pixels)
        self.image.paste(rgb(colour), (*corner, corner[0] + 2 * pixels, corner[1] + 2 * pixels), mask)

    def veil(self, colour: Colour, top: float, bottom: float) -> None:
        """A see-through layer over everything; opacity runs from ``top`` to ``bottom`` (0..1)."""
        column = np.linspace(top, bottom, 64, dtype=np.float32).clip(0, 1) * 255
        mask = Image.fromarray(column.astype(np.uint8)[:, None]).resize((self.size, self.size))
        self.image.paste(rgb(colour), (0, 0), mask)

    def reduced(self, size: int) -> Image.Image:
        """The picture at ``size`` pixels; ``size`` must divide the canvas's own size."""
        return self.image.reduce(self.size // size)
