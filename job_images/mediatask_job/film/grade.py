"""Light as colour grading: what can be done to a finished picture to change its mood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_PIVOT = 0.42
"""The tone that contrast leaves alone; a little below middle grey, so that contrast darkens."""


@dataclass(frozen=True)
class Grade:
    saturation: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0
    """Above 1 lifts the middle tones."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Red, green, blue."""
    vignette: float = 0.0
    """How much darker the corners are."""

    def apply(self, image: Image.Image) -> Image.Image:
        """The RGB picture in this light, without the vignette, which belongs to the film's frame."""
        if self == Grade(vignette=self.vignette):
            return image
        pixels = np.asarray(image, np.float32) / 255
        grey = (pixels @ _LUMA)[..., None]
        pixels = grey + self.saturation * (pixels - grey)
        pixels = np.clip((pixels - _PIVOT) * self.contrast + _PIVOT, 0, 1) ** (1 / self.gamma)
        pixels = np.clip(pixels * np.array(self.gain, np.float32), 0, 1)
        return Image.fromarray(np.rint(pixels * 255).astype(np.uint8))

    def vignetted(self, frames: Iterable[Image.Image], size: tuple[int, int]) -> Iterator[Image.Image]:
        """The frames of a film, all of this size, with darker corners."""
        mask = self._mask(size)
        for frame in frames:
            yield ImageChops.multiply(frame, mask) if self.vignette else frame

    def _mask(self, size: tuple[int, int]) -> Image.Image:
        """The vignette as a picture to multiply with."""
        across = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
        down = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
        distance = np.clip((across**2 + down**2) / 2, 0, 1)
        level = np.rint(255 * (1 - self.vignette * distance**1.5)).astype(np.uint8)
        return Image.merge("RGB", [Image.fromarray(level)] * 3)


NEUTRAL = Grade()

GRADES: dict[str, Grade] = {
    "noir": Grade(saturation=0.12, contrast=1.5, gamma=0.9, gain=(0.98, 1.0, 1.04), vignette=0.6),
    "dramatic": Grade(saturation=0.85, contrast=1.35, gamma=0.94, vignette=0.5),
    "golden": Grade(saturation=1.15, contrast=1.05, gamma=1.05, gain=(1.1, 1.0, 0.8), vignette=0.25),
    "warm": Grade(saturation=1.08, gain=(1.07, 1.0, 0.88), vignette=0.15),
    "cold": Grade(saturation=0.85, contrast=1.08, gain=(0.88, 0.98, 1.1), vignette=0.2),
    "moonlight": Grade(saturation=0.5, contrast=1.15, gamma=0.78, gain=(0.72, 0.85, 1.1), vignette=0.45),
    "dark": Grade(saturation=0.8, contrast=1.15, gamma=0.72, vignette=0.5),
    "bright": Grade(saturation=1.05, contrast=0.98, gamma=1.18),
    "soft": Grade(saturation=0.95, contrast=0.85, gamma=1.08),
    "neon": Grade(saturation=1.5, contrast=1.2, gain=(1.05, 0.92, 1.12), vignette=0.35),
    "sepia": Grade(saturation=0.2, contrast=1.05, gain=(1.12, 1.0, 0.78), vignette=0.35),
    "natural": NEUTRAL,
}

_SAME_GRADE = {
    "shadow": "dramatic", "shadows": "dramatic", "chiaroscuro": "dramatic", "contrast": "dramatic",
    "sunset": "golden", "sunrise": "golden", "dawn": "golden", "dusk": "golden", "candlelight": "warm",
    "candle": "warm", "firelight": "warm", "tungsten": "warm", "cool": "cold", "blue": "cold", "winter": "cold",
    "overcast": "cold", "fluorescent": "cold", "moon": "moonlight", "night": "moonlight", "low": "dark",
    "dim": "dark", "gloomy": "dark", "high": "bright", "sunny": "bright", "daylight": "bright", "diffuse": "soft",
    "diffused": "soft", "foggy": "soft", "cyberpunk": "neon", "vintage": "sepia", "neutral": "natural",
    "ambient": "natural", "studio": "natural",
}  # fmt: skip


def find(lighting: str | None) -> Grade | None:
    """The grade for a lighting by the first of its words that is known (`noir_dramatic` is noir); None for none."""
    if lighting is None:
        return NEUTRAL
    for word in re.findall(r"[a-z]+", lighting.lower()):
        word = _SAME_GRADE.get(word, word)
        if word in GRADES:
            return GRADES[word]
    return None
