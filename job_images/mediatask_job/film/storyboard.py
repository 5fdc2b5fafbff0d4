"""Frames of a storyboard film: a camera moving over graded stills that fade into one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from .camera import Move, affine
from .grade import Grade
from .timeline import layers

OpenStill = Callable[[int], Image.Image]
"""A still of about the given longer side, in pixels."""

_HEADROOM = 1.3
"""Stills are kept this much larger than the film: moves zoom in, and detail is to be had there."""


@dataclass(frozen=True)
class Film:
    width: int
    height: int
    fps: int
    frames: int
    move: Move
    grade: Grade

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def render(film: Film, stills: Sequence[OpenStill]) -> Iterator[Image.Image]:
    """The film's frames in order. At most two stills are in memory at a time."""
    ready: dict[int, Image.Image] = {}
    for frame in range(film.frames):
        seen = layers(frame, film.frames, len(stills), film.fps)
        ready = {layer.still: ready.get(layer.still) or _prepared(film, stills[layer.still]) for layer in seen}
        parts = [
            ready[layer.still].transform(
                film.size,
                Image.Transform.AFFINE,
                affine(film.move.at(layer.moment), ready[layer.still].size, film.size),
                Image.Resampling.BILINEAR,
            )
            for layer in seen
        ]
        yield parts[0] if len(parts) == 1 else Image.blend(parts[0], parts[1], seen[1].weight)


def _prepared(film: Film, still: OpenStill) -> Image.Image:
    """A still in the film's shape and light, large enough to zoom into."""
    size = round(film.width * _HEADROOM), round(film.height * _HEADROOM)
    return film.grade.apply(ImageOps.fit(still(max(size)), size, Image.Resampling.LANCZOS))
