"""Light as colour grading: what can be done to a finished picture to change its mood."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_PIVOTS = 0.15, 0.42
"""Bounds of the tone that contrast leaves alone: a little below middle grey, so that contrast darkens; lower in a
dark picture, whose shadows would otherwise all turn black."""


@dataclass(frozen=True)
class Grade:
    saturation: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0
    """Above 1 lifts the middle tones."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Red, green, blue."""
    vignette: float = 0.0
    """How much darker the tips of the corners are, 0..1."""

    def apply(self, image: Image.Image) -> Image.Image:
        """The RGB picture in this light, without the vignette, which belongs to the film's frame."""
        if self == Grade(vignette=self.vignette):
            return image
        mixed = self.saturation * np.eye(3) + (1 - self.saturation) * _LUMA
        toned = image.convert("RGB", tuple(np.pad(mixed, ((0, 0), (0, 1))).ravel()))
        middle = float(np.asarray(toned.resize((64, 64), Image.Resampling.BOX)).mean()) / 255
        return toned.point(self._curves(min(max(middle, _PIVOTS[0]), _PIVOTS[1])))

    def _curves(self, pivot: float) -> list[int]:
        """The new value of each old one, 256 for each channel."""
        old = np.arange(256) / 255
        # S-shaped: contrast bends shadows and highlights instead of cutting them off.
        shadows = pivot * (old / pivot) ** self.contrast
        highlights = 1 - (1 - pivot) * ((1 - old) / (1 - pivot)) ** self.contrast
        new = np.where(old < pivot, shadows, highlights) ** (1 / self.gamma)
        return [round(255 * min(value * gain, 1)) for gain in self.gain for value in new]


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
