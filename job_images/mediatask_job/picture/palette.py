"""Following a style guide's colours: Reinhard's transfer of mean and deviation, in the Oklab colour space.

Reinhard et al., "Color transfer between images", 2001; Oklab by Björn Ottosson, 2020.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SAMPLE_SIDE = 256
_ROWS = 128
_CONTRAST_RANGE = (0.5, 2.0)
"""Bounds of a channel's stretch: a flat picture must not have its noise blown up."""

_FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_TO_RGB = np.linalg.inv(_FROM_RGB).astype(np.float32)
_FROM_LAB = np.linalg.inv(_TO_LAB).astype(np.float32)

Pixels = NDArray[np.floating[Any]]


def follow_palette(image: Image.Image, guide: Image.Image, strength: float = 0.7) -> Image.Image:
    """`image` with its colour statistics moved towards those of `guide` (RGB both) by `strength` 0..1."""
    mean, deviation = _statistics(image)
    wanted_mean, wanted_deviation = _statistics(guide)
    stretch = np.clip(wanted_deviation / np.maximum(deviation, 1e-4), *_CONTRAST_RANGE)
    pixels = np.asarray(image)
    out = np.empty_like(pixels)
    # In strips: the float planes of a 4096x4096 picture alone would take 600 MB.
    for top in range(0, len(pixels), _ROWS):
        lab = _lab(pixels[top : top + _ROWS])
        moved = (lab - mean) * stretch + wanted_mean
        out[top : top + _ROWS] = _rgb(lab + strength * (moved - lab))
    return Image.fromarray(out)


def _statistics(image: Image.Image) -> tuple[Pixels, Pixels]:
    """Mean and standard deviation of the three Oklab channels."""
    small = image.copy()
    small.thumbnail((_SAMPLE_SIDE, _SAMPLE_SIDE))
    lab = _lab(np.asarray(small)).reshape(-1, 3)
    return lab.mean(axis=0), lab.std(axis=0)


def _lab(rgb: NDArray[np.uint8]) -> Pixels:
    """sRGB bytes (..., 3) as Oklab."""
    value = rgb.astype(np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    lab: Pixels = np.cbrt(linear @ _FROM_RGB.T) @ _TO_LAB.T
    return lab


def _rgb(lab: Pixels) -> NDArray[np.uint8]:
    """Oklab as sRGB bytes; colours outside sRGB are clipped."""
    linear = np.clip((lab @ _FROM_LAB.T) ** 3 @ _TO_RGB.T, 0, 1)
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    rounded: NDArray[np.uint8] = np.rint(value * 255).astype(np.uint8)
    return rounded
