"""Sizes: what a model can draw, and the exact size that was asked for."""

from __future__ import annotations

import math

from PIL import Image, ImageOps

_GRID = 16
"""Every allow-listed pipeline draws sides that are multiples of this."""


def drawing_size(width: int, height: int, native_size: int | None) -> tuple[int, int]:
    """The size to draw at for a picture of `width` x `height`: its shape, the model's area, on the model's grid.

    Without a native size the result covers the wanted size.
    """
    if native_size is None:
        return math.ceil(width / _GRID) * _GRID, math.ceil(height / _GRID) * _GRID
    scale = native_size / math.sqrt(width * height)
    return _on_grid(width * scale), _on_grid(height * scale)


def exactly(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture at exactly this size: scaled to cover it, what protrudes is cut off evenly."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def _on_grid(side: float) -> int:
    return max(round(side / _GRID), 1) * _GRID
