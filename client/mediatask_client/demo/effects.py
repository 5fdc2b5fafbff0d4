"""Light on a picture: glows, fog, rain and film grain. Pictures are float arrays (height, width, 3), 0 to 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[Any]
Colour = NDArray[Any]
"""Red, green, blue, 0 to 1."""

LAMP: Colour = np.array([1.0, 0.80, 0.48], np.float32)
MOON: Colour = np.array([0.42, 0.56, 0.72], np.float32)


def to_pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def to_image(pixels: Pixels) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def add_glow(pixels: Pixels, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
    """Brighten around a point (pixels); falls with the square of the distance."""
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
    pixels += (strength / (1 + distance))[..., None] * colour


def add_streak(
    pixels: Pixels, x: float, y: float, width: float, length: float, colour: Colour, strength: float
) -> None:
    """A light's reflection on wet ground: narrow, drawn out downwards from (x, y), broken by ripples."""
    rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]].astype(np.float32)
    down = (rows - y) / length
    ripples = 0.7 + 0.3 * np.sin(rows * 0.55 + 2.5 * np.sin(columns / 90))
    shape = (
        np.exp(-(((columns - x) / width) ** 2)) * np.exp(-2.2 * down) * (down > 0) * (1 - np.exp(-40 * down.clip(0)))
    )
    pixels += (strength * shape * ripples)[..., None] * colour


def add_beam(pixels: Pixels, polygon: list[tuple[float, float]], colour: Colour, strength: float) -> None:
    """Brighten a soft-edged polygon, as light in fog does."""
    height, width = pixels.shape[:2]
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon(polygon, fill=255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(width / 45)), dtype=np.float32) / 255
    top, bottom = min(y for _, y in polygon), max(y for _, y in polygon)
    fade = 1 - ((np.arange(height) - top) / (bottom - top)).clip(0, 1)
    pixels += strength * (soft * fade[:, None].astype(np.float32))[..., None] * colour


def add_rain(pixels: Pixels, drops: int, seed: int) -> None:
    """Slanted streaks, near ones longer and brighter."""
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(seed)
    layer = Image.new("L", (width, height))
    draw = ImageDraw.Draw(layer)
    for x, y, near in rng.random((drops, 3)):
        length = height * (0.02 + 0.07 * near**2)
        left, top = x * width * 1.1, y * height
        draw.line((left, top, left - 0.18 * length, top + length), fill=int(24 + 70 * near), width=1 + (near > 0.9))
    pixels += 0.55 * np.asarray(layer.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float32)[..., None] / 255


def finish(pixels: Pixels, seed: int) -> Image.Image:
    """Vignette, a soft shoulder for the highlights, film grain."""
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    pixels = pixels * (1 - 0.38 * (rows**2 + columns**2) / 2)[..., None]
    pixels = (1 - np.exp(-2.4 * pixels.clip(0, None))) ** 1.3
    grain = np.random.default_rng(seed).normal(0, 0.018, (height, width, 1)).astype(np.float32)
    return to_image(pixels + grain)
