"""A voice in front of a scene: the ambience ducks while somebody speaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import RATE, Samples

LEAD_SECONDS = 0.25
TAIL_SECONDS = 0.5
AMBIENCE_LEAD_SECONDS = 0.7
AMBIENCE_TAIL_SECONDS = 1.2
"""With an ambience the scene is heard before and after the line."""

_AMBIENCE_GAIN = 0.22
_DUCKED = 0.35
"""What is left of the ambience under the voice."""
_ENVELOPE_STEP = RATE // 100
_ENVELOPE_STEPS = 25
"""A quarter of a second, over which the ambience rises and falls."""
_SPEAKING = 0.03
"""Level against the voice's peak from which somebody is speaking."""
_FADE_SECONDS = 0.3


class Line:
    """A spoken line with silence around it, and the scene that it is spoken in. Mixed piece by piece: an hour of
    stereo would take more than a gigabyte."""

    def __init__(self, voice: Samples, scene: Samples | None = None) -> None:
        """`voice` is mono (n,), `scene` stereo (2, m): repeated where it is shorter than the line."""
        lead, tail = (LEAD_SECONDS, TAIL_SECONDS) if scene is None else (AMBIENCE_LEAD_SECONDS, AMBIENCE_TAIL_SECONDS)
        self._voice = voice
        self._scene = scene
        self._lead = int(lead * RATE)
        self._loud = np.float32(1 / max(_peak(voice), 1e-9))
        self._speaking = _envelope(voice, _SPEAKING * _peak(voice))
        self.size = self._lead + voice.size + int(tail * RATE)
        """Samples per channel."""

    def part(self, start: int, stop: int) -> Samples:
        """Samples `start` to `stop`, stereo; the voice's peak is 1."""
        first, last = (min(max(at - self._lead, 0), self._voice.size) for at in (start, stop))
        mono = np.zeros(stop - start, np.float32)
        begin = first + self._lead - start
        mono[begin : begin + last - first] = self._voice[first:last] * self._loud
        if self._scene is None:
            return np.stack([mono, mono])
        at = np.arange(start, stop)
        ducked = 1 - (1 - _DUCKED) * self._speaking_at(at - self._lead)
        gain = _AMBIENCE_GAIN * ducked * _fade(at, self.size)
        background: Samples = self._scene[:, at % self._scene.shape[1]] * gain.astype(np.float32)
        return background + mono

    def _speaking_at(self, at: NDArray[np.int_]) -> NDArray[np.float64]:
        centres = (np.arange(self._speaking.size) - _ENVELOPE_STEPS + 0.5) * _ENVELOPE_STEP
        return np.interp(at, centres, self._speaking)


def faded(stereo: Samples) -> Samples:
    """Faded in and out, so that a scene neither starts nor ends with a click."""
    size = stereo.shape[1]
    return stereo * _fade(np.arange(size), size).astype(np.float32)


def _fade(at: NDArray[np.int_], size: int) -> NDArray[np.float64]:
    """Gain at these samples of a sound that is faded at both ends."""
    ramp = max(min(int(_FADE_SECONDS * RATE), size // 2) - 1, 1)
    return np.clip(np.minimum(at, size - 1 - at) / ramp, 0, 1)


def _peak(mono: Samples) -> float:
    return max(float(mono.max(initial=0.0)), -float(mono.min(initial=0.0)))


def _envelope(voice: Samples, threshold: float) -> NDArray[np.float64]:
    """0..1 for each hundredth of a second of the voice and `_ENVELOPE_STEPS` around it: how much is spoken."""
    whole = voice[: voice.size // _ENVELOPE_STEP * _ENVELOPE_STEP].reshape(-1, _ENVELOPE_STEP)
    level = np.maximum(whole.max(axis=1, initial=0.0), -whole.min(axis=1, initial=0.0))
    spoken = np.pad((level > threshold).astype(float), _ENVELOPE_STEPS)
    smooth = np.convolve(spoken, np.full(_ENVELOPE_STEPS, 1 / _ENVELOPE_STEPS), "same")
    return np.minimum(smooth * 1.5, 1)
