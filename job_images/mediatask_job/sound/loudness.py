"""Programme loudness and true peak after ITU-R BS.1770-4, and bringing a sound to a loudness without clipping.

A sound is measured once, piece by piece, into a few numbers per millisecond. All decisions are made on these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import RATE, Part, Samples

TARGET_LUFS = -16.0
"""Usual for speech on the web and in podcasts."""
CEILING_DBTP = -1.5
"""Highest true peak: lossy codecs overshoot by a decibel."""

_STEP = RATE // 1000
"""Samples of a millisecond."""
_HOP = 100
_BLOCK = 4 * _HOP
"""Milliseconds over which loudness is measured, with an overlap of three quarters."""
_OFFSET = -0.691
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0

# Coefficients of the standard's two filters at 48 kHz: (b0, b1, b2), (a1, a2).
_SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)
_HIGH_PASS = (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)

_CHUNK = 10 * RATE
"""Samples that are measured at a time."""
_WARM_UP = RATE // 2
"""Samples ahead of each chunk: the high-pass filter's memory is far shorter."""


@dataclass(frozen=True)
class Levels:
    """What loudness and clipping depend on, per millisecond of a sound."""

    power: NDArray[np.float64]
    """Mean square, K-weighted, summed over the channels."""
    peaks: NDArray[np.float64]
    """Greatest magnitude at and between the samples, of any channel."""

    @property
    def loudness(self) -> float:
        """Integrated loudness in LUFS; -inf for silence. Shorter than one block counts as one."""
        power = np.pad(self.power, (0, max(_BLOCK - self.power.size, 0)))
        hops = power.size // _HOP
        blocks = np.convolve(power[: hops * _HOP].reshape(hops, _HOP).mean(axis=1), np.full(4, 0.25), "valid")
        blocks = blocks[_lufs(blocks) > _ABSOLUTE_GATE]
        if not blocks.size:
            return -math.inf
        gate = _lufs(blocks.mean()) + _RELATIVE_GATE
        return float(_lufs(blocks[_lufs(blocks) > gate].mean()))

    @property
    def true_peak(self) -> float:
        """Highest level between and at the samples in dBTP; -inf for silence."""
        peak = float(self.peaks.max(initial=0.0))
        return 20 * math.log10(peak) if peak > 0 else -math.inf

    def times(self, gain: NDArray[np.float64] | float) -> Levels:
        """With a gain for every millisecond, or for all."""
        return Levels(self.power * np.square(gain), self.peaks * gain)


def measured(part: Part, size: int) -> Levels:
    """The levels of a sound of `size` samples per channel; `part(start, stop)` gives any piece of it."""
    steps = -(-size // _STEP)
    power, peaks = np.zeros(steps), np.zeros(steps)
    for start in range(0, size, _CHUNK):
        stop = min(start + _CHUNK, size)
        first, last = max(start - _WARM_UP, 0), min(stop + _TAPS, size)
        piece = part(first, last)
        here = slice(start // _STEP, -(-stop // _STEP))
        for channel in piece:
            weighted = _k_weighted(channel)[start - first : stop - first]
            power[here] += _per_step(np.square(weighted, dtype=np.float64)).mean(axis=1)
            crests = _oversampled_peaks(channel)[start - first : stop - first]
            np.maximum(peaks[here], _per_step(crests).max(axis=1), out=peaks[here])
    return Levels(power, peaks)


def loudness(samples: Samples) -> float:
    """Integrated loudness of (channels, n) in LUFS; -inf for silence."""
    return measured(whole(samples), samples.shape[1]).loudness


def true_peak(samples: Samples) -> float:
    """Highest level between and at the samples of (channels, n), in dBTP; -inf for silence."""
    return measured(whole(samples), samples.shape[1]).true_peak


def whole(samples: Samples) -> Part:
    """A sound that is in memory, piece by piece."""
    return lambda start, stop: samples[:, start:stop]


@dataclass(frozen=True)
class Gain:
    """A gain for every millisecond of a sound, smooth in between."""

    steps: NDArray[np.float64]

    def apply(self, samples: Samples, start: int) -> Samples:
        """To the piece (channels, n) of the sound that begins at sample `start`."""
        stop = start + samples.shape[1]
        first, last = max(start // _STEP - 1, 0), min(stop // _STEP + 2, self.steps.size)
        at = (np.arange(first, last) + 0.5) * _STEP
        curve = np.interp(np.arange(start, stop), at, self.steps[first:last])
        out: Samples = samples * curve.astype(np.float32)
        return out


def levelled(levels: Levels, target: float = TARGET_LUFS, ceiling: float = CEILING_DBTP) -> Gain:
    """The gain that brings a sound to the target loudness, its true peaks held under the ceiling by a limiter.

    A limiter takes loudness away, so gain and limit alternate. Silence stays silence.
    """
    missing = target - levels.loudness
    if not math.isfinite(missing):
        return Gain(np.ones_like(levels.peaks))
    decibels = 0.0
    for _ in range(_ROUNDS):
        decibels += missing
        factor = 10 ** (decibels / 20)
        steps = factor * _limiter(levels.peaks * factor, 10 ** (ceiling / 20))
        missing = target - levels.times(steps).loudness
        if abs(missing) < _CLOSE_ENOUGH:
            break
    return Gain(steps)


def normalised(samples: Samples, target: float = TARGET_LUFS, ceiling: float = CEILING_DBTP) -> Samples:
    """(channels, n) at the target loudness, for a sound that is in memory anyway; see `levelled`."""
    return levelled(measured(whole(samples), samples.shape[1]), target, ceiling).apply(samples, 0)


def _lufs(power: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-12))


def _per_step(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """(n,) as (milliseconds, samples of each)."""
    steps = -(-values.size // _STEP)
    return np.pad(values, (0, steps * _STEP - values.size)).reshape(steps, _STEP)


def _k_weighted(channel: Samples) -> Samples:
    """The channel through both filters, applied in the frequency domain."""
    # Zeros up to the double length keep the filter's tail from wrapping around to the start; powers of two are fast.
    length = 1 << (2 * channel.size - 1).bit_length()
    weighted = np.fft.irfft(np.fft.rfft(channel, length) * _response(length), length)
    return weighted[: channel.size].astype(np.float32, copy=False)


@lru_cache(2)
def _response(length: int) -> NDArray[np.complex64]:
    """Both filters' frequency response at the points of an rfft of `length`."""
    z = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    total = np.ones_like(z)
    for (b0, b1, b2), (a1, a2) in (_SHELF, _HIGH_PASS):
        total *= (b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)
    response: NDArray[np.complex64] = total.astype(np.complex64)
    return response


# ---- true peak

_OVERSAMPLING = 4
_TAPS = 24
"""Input samples per interpolated one."""


def _interpolators() -> Samples:
    """Windowed-sinc filters (phase, tap) for the points a quarter, a half and three quarters after a sample."""
    positions = np.arange(_TAPS) - (_TAPS // 2 - 1)
    phases = np.arange(1, _OVERSAMPLING)[:, None] / _OVERSAMPLING
    distance = positions[None, :] - phases
    window = np.cos(np.pi * distance / _TAPS) ** 2
    taps: Samples = (np.sinc(distance) * window).astype(np.float32)
    return taps


def _oversampled_peaks(channel: Samples) -> Samples:
    """The greatest magnitude at, or right after, each sample."""
    magnitude = np.abs(channel)
    for taps in _interpolators():
        between = np.convolve(channel, taps[::-1], "full")[_TAPS // 2 : _TAPS // 2 + channel.size]
        np.maximum(magnitude, np.abs(between), out=magnitude)
    return magnitude


# ---- limiter

_LOOK_AHEAD = 5
"""Milliseconds that the gain starts to fall ahead of a peak, and rises after it."""
_ROUNDS = 8
_CLOSE_ENOUGH = 0.05


def _limiter(peaks: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """A gain per millisecond, at most 1, lowered smoothly around every peak over the limit."""
    gain = np.minimum(1.0, limit / np.maximum(peaks, 1e-9))
    # The least gain nearby, then its mean nearby: smooth, and never above what any peak needs.
    around = np.pad(gain, 2 * _LOOK_AHEAD, constant_values=1.0)
    width = 2 * _LOOK_AHEAD + 1
    least = np.lib.stride_tricks.sliding_window_view(around, width).min(axis=1)
    # A line between the steps' centres could pass above a step's need at its edge; the look-ahead covers that.
    return np.convolve(least, np.full(width, 1 / width), "valid")
