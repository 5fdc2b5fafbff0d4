"""Sizes: what a model can draw, and the exact size that was asked for."""

from __future__ import annotations

import math

from PIL import Image, ImageOps


def drawing_size(width: int, height: int, native_size: int | None, grid: int) -> tuple[int, int]:
    """The size to draw at for a picture of `width` x `height`: its shape, the model's area, on the model's grid.

    Without a native size the result covers the wanted size.
    """
    if native_size is None:
        return math.ceil(width / grid) * grid, math.ceil(height / grid) * grid
    scale = native_size / math.sqrt(width * height)
    return _on_grid(width * scale, grid), _on_grid(height * scale, grid)


def exactly(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture at exactly this size: scaled to cover it, what protrudes is cut off evenly."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def _on_grid(side: float, grid: int) -> int:
    return max(round(side / grid), 1) * grid
