"""The sound of a scene from its audio cues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..sound import RATE, Samples, mix
from ..sound.ambience import ambience
from ..sound.loudness import normalised

_LUFS = -23.0
"""Background of a film, not a programme of its own: the broadcast level of EBU R 128."""


def soundtrack(cues: Sequence[str], frames: int, fps: int, seed: int, warnings: list[str]) -> Samples:
    """Stereo (2, n), as long as the film. Without a known cue it is silent."""
    samples = frames * RATE // fps
    sound, unknown = ambience(cues, samples, seed)
    warnings.extend(f"audio cue {cue!r} is not known; left out" for cue in unknown)
    return mix.faded(normalised(sound, _LUFS)) if sound.any() else np.zeros((2, samples), np.float32)
