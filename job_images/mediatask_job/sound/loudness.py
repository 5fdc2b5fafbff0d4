"""Programme loudness and true peak after ITU-R BS.1770-4, and bringing a mix to a loudness without clipping."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from . import RATE, Samples

TARGET_LUFS = -16.0
"""Usual for speech on the web and in podcasts."""
CEILING_DBTP = -1.5
"""Highest true peak: lossy codecs overshoot by a decibel."""

_BLOCK = int(0.4 * RATE)
_HOP = _BLOCK // 4
_OFFSET = -0.691
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0

# Coefficients of the standard's two filters at 48 kHz: (b0, b1, b2), (a1, a2).
_SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)
_HIGH_PASS = (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)

_CHUNK = 10 * RATE
_WARM_UP = RATE // 2
"""Samples ahead of each chunk: the high-pass filter's memory is far shorter."""


def loudness(samples: Samples) -> float:
    """Integrated loudness of (channels, n) in LUFS; -inf for silence. Shorter than one block counts as one."""
    if samples.shape[1] < _BLOCK:
        samples = np.pad(samples, ((0, 0), (0, _BLOCK - samples.shape[1])))
    power = _block_power(samples)
    power = power[_lufs(power) > _ABSOLUTE_GATE]
    if not power.size:
        return -math.inf
    gate = _lufs(power.mean()) + _RELATIVE_GATE
    return float(_lufs(power[_lufs(power) > gate].mean()))


def true_peak(samples: Samples) -> float:
    """Highest level between and at the samples of (channels, n), in dBTP; -inf for silence."""
    peak = max(float(np.max(part, initial=0.0)) for part in _oversampled_peaks(samples))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def normalised(samples: Samples, target: float = TARGET_LUFS, ceiling: float = CEILING_DBTP) -> Samples:
    """(channels, n) at the target loudness, its true peaks held under the ceiling by a limiter.

    A limiter takes loudness away, so gain and limit alternate. Silence stays silence.
    """
    level = loudness(samples)
    if not math.isfinite(level):
        return samples
    gain = target - level
    for _ in range(4):
        out = _limited(samples * np.float32(10 ** (gain / 20)), ceiling)
        missing = target - loudness(out)
        if abs(missing) < 0.1:
            break
        gain += missing
    return out


def _lufs(power: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-12))


def _block_power(samples: Samples) -> NDArray[np.float64]:
    """Mean square of each 400 ms block (75 % overlap), K-weighted, summed over the channels."""
    hops = samples.shape[1] // _HOP
    power = np.zeros(hops)
    for channel in samples:
        weighted = _k_weighted(channel)[: hops * _HOP].reshape(hops, _HOP)
        power += np.square(weighted, dtype=np.float64).mean(axis=1)
    return np.convolve(power, np.full(4, 0.25), "valid")


def _k_weighted(channel: Samples) -> Samples:
    """The channel through both filters, applied in the frequency domain, chunk by chunk with overlap."""
    length = _WARM_UP + _CHUNK
    response = _response(2 * length)
    padded = np.concatenate([np.zeros(_WARM_UP, np.float32), channel])
    out = np.empty_like(channel)
    for start in range(0, channel.size, _CHUNK):
        part = padded[start : start + length]
        # Zeros up to the double length keep the filter's tail from wrapping around to the start.
        filtered = np.fft.irfft(np.fft.rfft(part, 2 * length) * response)[_WARM_UP : part.size]
        out[start : start + filtered.size] = filtered
    return out


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


def _oversampled_peaks(samples: Samples) -> list[Samples]:
    """Per channel the greatest magnitude at, or right after, each sample."""
    peaks = []
    for channel in samples:
        magnitude = np.abs(channel)
        for taps in _interpolators():
            between = np.convolve(channel, taps[::-1], "full")[_TAPS // 2 : _TAPS // 2 + channel.size]
            np.maximum(magnitude, np.abs(between), out=magnitude)
        peaks.append(magnitude)
    return peaks


# ---- limiter

_STEP = RATE // 1000
_LOOK_AHEAD = 5
"""Steps of a millisecond that the gain starts to fall ahead of a peak, and rises after it."""


def _limited(samples: Samples, ceiling: float) -> Samples:
    """The samples with their gain lowered smoothly around every true peak over the ceiling (dBTP)."""
    limit = 10 ** (ceiling / 20)
    peaks = np.maximum.reduce(_oversampled_peaks(samples))
    if float(peaks.max(initial=0.0)) <= limit:
        return samples
    steps = math.ceil(peaks.size / _STEP)
    per_step = np.pad(peaks, (0, steps * _STEP - peaks.size)).reshape(steps, _STEP).max(axis=1)
    gain = np.minimum(1.0, limit / np.maximum(per_step, 1e-9))
    # The least gain nearby, then its mean nearby: smooth, and never above what any peak needs.
    around = np.pad(gain, 2 * _LOOK_AHEAD, constant_values=1.0)
    width = 2 * _LOOK_AHEAD + 1
    least = np.lib.stride_tricks.sliding_window_view(around, width).min(axis=1)
    smooth = np.convolve(least, np.full(width, 1 / width), "valid")
    # A line between the steps' centres could pass above a step's need at its edge; the look-ahead covers that.
    at = (np.arange(steps) + 0.5) * _STEP
    curve = np.interp(np.arange(peaks.size), at, smooth).astype(np.float32)
    return samples * curve
