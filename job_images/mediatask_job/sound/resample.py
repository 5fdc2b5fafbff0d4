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
    out, filled = np.empty(samples.size * RATE // rate + RATE, np.float32), 0
    for start in range(0, samples.size + _BLOCK, _BLOCK):
        for done in resampler.resample(_frame(samples[start : start + _BLOCK], rate)):
            piece = done.to_ndarray()[0]
            out[filled : filled + piece.size] = piece
            filled += piece.size
    return out[:filled]


def _frame(samples: Samples, rate: int) -> av.AudioFrame | None:
    """None, which flushes the resampler, for no samples."""
    if not samples.size:
        return None
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), format="flt", layout="mono")
    frame.sample_rate = rate
    return frame
