"""Frames of a video model, brought to the film's size and frame rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..picture.canvas import exactly

_FRAMES_PER_LATENT = 4
"""Video VAEs of the allow-listed pipelines pack frames as 1 + 4k."""


def model_frames(duration: float, native_fps: int, most: int | None) -> int:
    """How many frames to ask of the model: the clip's length at its rate, as 1 + 4k, at most `most`."""
    wanted = max(round(duration * native_fps), 1)
    if most is not None:
        wanted = min(wanted, most)
    packed = -(-(wanted - 1) // _FRAMES_PER_LATENT) * _FRAMES_PER_LATENT + 1
    return packed if most is None or packed <= most else packed - _FRAMES_PER_LATENT


def retimed(drawn: Sequence[NDArray[Any]], frames: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """`drawn` (each (height, width, 3), float 0..1) spread over `frames` frames of `size`; blended in between."""
    scaled = [exactly(_picture(frame), *size) for frame in drawn]
    for number in range(frames):
        place = number * (len(scaled) - 1) / max(frames - 1, 1)
        first = min(int(place), len(scaled) - 1)
        second = min(first + 1, len(scaled) - 1)
        yield scaled[first] if place == first else Image.blend(scaled[first], scaled[second], place - first)


def _picture(frame: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8))
