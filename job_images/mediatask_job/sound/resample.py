"""Another sample rate, by FFmpeg's resampler in blocks."""

from __future__ import annotations

import av
import numpy as np

from . import RATE, Samples

_BLOCK = 1 << 16


def to_rate(samples: Samples, rate: int) -> Samples:
    """Mono `samples` of `rate` per second, at `RATE`."""
    if rate == RATE or not samples.size:
        return samples
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[Samples] = []
    for start in range(0, samples.size, _BLOCK):
        block = np.ascontiguousarray(samples[None, start : start + _BLOCK], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate = rate
        parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts)
