"""Sound: everything here is float32 at `RATE`, mono as (n,), stereo as (2, n), full scale at 1.0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE = 48000
"""Samples per second of everything that is mixed and encoded."""

Samples = NDArray[np.float32]

Part = Callable[[int, int], Samples]
"""Stereo samples `start` to `stop` of a sound that is never in memory as a whole."""
