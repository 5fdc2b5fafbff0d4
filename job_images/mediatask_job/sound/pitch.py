"""The mean pitch of a voice, by autocorrelation of its voiced frames."""

from __future__ import annotations

import numpy as np

from . import Samples

_FRAME_SECONDS = 0.05
_LOWEST_HZ = 60.0
_HIGHEST_HZ = 450.0
_VOICED = 0.5
"""Correlation with itself, one period later, from which a frame counts as voiced."""
_FEWEST_FRAMES = 8


def mean_pitch(samples: Samples, rate: int) -> float | None:
    """Median fundamental frequency in Hz; None when too little of the recording is voiced."""
    size = int(_FRAME_SECONDS * rate)
    first, last = int(rate / _HIGHEST_HZ), int(rate / _LOWEST_HZ)
    audible = 0.1 * float(np.abs(samples).max(initial=0.0))
    window = np.hanning(size)
    found = []
    for start in range(0, samples.size - size, size // 2):
        frame = samples[start : start + size]
        if float(np.abs(frame).max()) <= audible:
            continue
        spectrum = np.fft.rfft((frame - frame.mean()) * window, 2 * size)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)
        period = first + int(correlation[first:last].argmax())
        if correlation[period] > _VOICED * correlation[0]:
            found.append(rate / period)
    return float(np.median(found)) if len(found) >= _FEWEST_FRAMES else None
