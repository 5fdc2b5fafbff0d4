"""The detective's voice profile: vowels hummed by a small formant synthesiser."""

from __future__ import annotations

import io
import wave

import numpy as np

RATE = 16_000
PITCH = 105.0
"""Hertz: a low voice."""
# First three formants of a few vowels, Hz (Peterson and Barney's averages for men, rounded).
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
BANDWIDTHS = (80.0, 110.0, 160.0)


def voice_profile(seconds: float = 4.0) -> bytes:
    """A mono 16-bit WAV."""
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = PITCH * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * time) - 0.03 * time / seconds)
    phase = np.cumsum(2 * np.pi * pitch / RATE)
    place = time / seconds * (len(VOWELS) - 1)
    formants = np.array([np.interp(place, range(len(VOWELS)), column) for column in zip(*VOWELS, strict=True)])
    sound = np.zeros(count)
    for harmonic in range(1, 34):
        frequency = harmonic * pitch
        resonance = sum(
            1 / (1 + ((frequency - formant) / width) ** 2) for formant, width in zip(formants, BANDWIDTHS, strict=True)
        )
        sound += resonance / harmonic * np.sin(harmonic * phase)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * len(VOWELS) * time / seconds)
    sound *= syllables
    samples = (sound / np.abs(sound).max() * 0.7 * 32767).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()
