"""The other input pictures: the detective by the light of window blinds, and a style guide of the film's colours."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .detective import draw_detective
from .effects import LAMP, MOON, Colour, Pixels, add_glow, finish, to_pixels

SIDE = 768
PALETTE = ("#0b0d12", "#1b222c", "#33404f", "#6b7f92", "#b98a4a", "#f3d59a")


def draw_portrait(light: Colour = LAMP, *, lean: float = 0.0, seed: int = 1) -> Image.Image:
    """Head and shoulders before a wall striped by blinds, `lean` widths off the middle."""
    pixels = _blinds(light, seed)
    x = SIDE * (0.5 + lean)
    mask = _bust(x)
    pixels *= 1 - 0.985 * mask[..., None]
    edge = (mask - _bust(x - np.sign(lean or 1) * SIDE * 0.012)).clip(0, 1)
    pixels += 0.5 * edge[..., None] * light
    return finish(pixels, seed)


def draw_style_guide() -> Image.Image:
    """Mood above, palette below."""
    pixels = _blinds(LAMP, 7)
    swatches = Image.new("RGB", (SIDE, SIDE // 4))
    draw = ImageDraw.Draw(swatches)
    width = SIDE / len(PALETTE)
    for number, colour in enumerate(PALETTE):
        draw.rectangle((number * width, 0, (number + 1) * width, SIDE), fill=colour)
    mood = finish(pixels, 7)
    mood.paste(swatches, (0, SIDE - swatches.height))
    return mood


def _blinds(light: Colour, seed: int) -> Pixels:
    """A dark wall with slanted bars of light, float (SIDE, SIDE, 3)."""
    bars = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(bars)
    for top in range(60, SIDE, 58):
        draw.polygon([(40, top), (SIDE - 60, top - 70), (SIDE - 60, top - 40), (40, top + 30)], fill=255)
    soft = to_pixels(bars.filter(ImageFilter.GaussianBlur(5)))
    pixels: Pixels = 0.03 * np.ones((SIDE, SIDE, 3), np.float32) * MOON + 0.42 * soft * light
    add_glow(pixels, SIDE * (0.2 + 0.1 * (seed % 5)), SIDE * 0.1, SIDE * 0.4, light, 0.12)
    return pixels


def _bust(x: float) -> Pixels:
    mask = Image.new("L", (SIDE, SIDE))
    draw_detective(ImageDraw.Draw(mask), x, SIDE * 2.35, SIDE * 2.2, 255)
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(1.2)), dtype=np.float32) / 255
