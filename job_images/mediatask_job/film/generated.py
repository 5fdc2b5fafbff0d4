"""Frames of a video model, brought to the film's size and frame rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..picture.sizes import exactly
from .form import Form
from .planes import Planes

_FRAMES_PER_LATENT = 4
"""Video VAEs of the allow-listed pipelines pack frames as 1 + 4k."""


def model_frames(duration: float, native_fps: int, most: int | None) -> int:
    """How many frames to ask of the model: the clip's length at its rate, as 1 + 4k, at most `most`."""
    wanted = max(round(duration * native_fps), 1)
    if most is not None:
        wanted = min(wanted, most)
    packed = -(-(wanted - 1) // _FRAMES_PER_LATENT) * _FRAMES_PER_LATENT + 1
    return packed if most is None or packed <= most else packed - _FRAMES_PER_LATENT


def retimed(drawn: Sequence[NDArray[Any]], form: Form) -> Iterator[Planes]:
    """`drawn` (each (height, width, 3), float 0..1) spread over the frames of the film; blended in between."""
    ready: dict[int, Planes] = {}
    for number in range(form.frames):
        place = number * (len(drawn) - 1) / max(form.frames - 1, 1)
        first, share = int(place), place % 1
        ready = {n: ready.get(n) or _scaled(drawn[n], form) for n in ((first, first + 1) if share else (first,))}
        yield ready[first].blended(ready[first + 1], share) if share else ready[first]


def _scaled(frame: NDArray[Any], form: Form) -> Planes:
    picture = Image.fromarray(np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8))
    return Planes.of(exactly(picture, *form.size))
