"""A voice in front of a scene: the ambience ducks while somebody speaks."""

from __future__ import annotations

import numpy as np

from . import RATE, Samples

LEAD_SECONDS = 0.25
TAIL_SECONDS = 0.5
AMBIENCE_LEAD_SECONDS = 0.7
AMBIENCE_TAIL_SECONDS = 1.2
"""With an ambience the scene is heard before and after the line."""

_AMBIENCE_GAIN = 0.22
_DUCKED = 0.35
"""What is left of the ambience under the voice."""
_ENVELOPE_SECONDS = 0.25
_FADE_SECONDS = 0.3


def padded(voice: Samples, lead: float, tail: float) -> Samples:
    """Mono voice at peak 1 with silence around it."""
    peak = float(np.abs(voice).max(initial=1e-9))
    return np.pad(voice / np.float32(peak), (int(lead * RATE), int(tail * RATE)))


def over_ambience(voice: Samples, ambience: Samples) -> Samples:
    """Mono voice (n,) over stereo ambience (2, n), as stereo (2, n)."""
    gain = _AMBIENCE_GAIN * (1 - (1 - _DUCKED) * _speaking(voice))
    return faded(ambience * gain) + voice


def faded(stereo: Samples) -> Samples:
    """Faded in and out, so that a scene neither starts nor ends with a click."""
    size = min(int(_FADE_SECONDS * RATE), stereo.shape[1] // 2)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    out = stereo.copy()
    out[:, :size] *= ramp
    out[:, out.shape[1] - size :] *= ramp[::-1]
    return out


def _speaking(voice: Samples) -> Samples:
    """0..1, smooth: how much somebody is speaking at each sample."""
    step = RATE // 100
    steps = -(-voice.size // step)
    level = np.abs(np.pad(voice, (0, steps * step - voice.size))).reshape(steps, step).max(axis=1)
    width = max(int(_ENVELOPE_SECONDS * RATE / step), 1)
    smooth = np.convolve((level > 0.03).astype(np.float32), np.full(width, 1 / width), "same")
    at = (np.arange(steps) + 0.5) * step
    return np.interp(np.arange(voice.size), at, np.minimum(smooth * 1.5, 1)).astype(np.float32)
