"""Frames of a storyboard film: a camera moving over graded stills that fade into one another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from .camera import Move, affine, box
from .form import Form
from .framing import Still, framed
from .grade import Grade
from .planes import Planes, Shade
from .timeline import Layer, layers

_MOST_HEADROOM = 1.5
"""Stills are kept at the size that the closest view wants, up to this many times the film's."""
_AHEAD = 2
"""Frames that wait for the encoder beside those being rendered."""

_Seen = list[tuple[Layer, Future[Planes]]]
"""The layers of a frame, each with its still."""


@dataclass(frozen=True)
class Storyboard:
    form: Form
    move: Move
    grade: Grade
    stills: Sequence[Still]

    def frames(self, threads: int) -> Iterator[Planes]:
        """The film's frames in order, the same whatever the number of threads.

        At most three stills and a few frames are in memory at a time.
        """
        shade = Shade.vignette(self.grade.vignette, self.form.size) if self.grade.vignette else None
        rendered: deque[Future[Planes]] = deque()
        ready: dict[int, Future[Planes]] = {}
        with ThreadPoolExecutor(threads, thread_name_prefix="render") as pool:
            for number in range(self.form.frames):
                seen = layers(number, self.form.frames, len(self.stills), self.form.fps)
                # The pool starts its work in order: a frame that waits for a still never keeps it from being made.
                ready = {n: ready.get(n) or pool.submit(self._prepared, n) for n in (layer.still for layer in seen)}
                rendered.append(pool.submit(self._frame, [(layer, ready[layer.still]) for layer in seen], shade))
                if len(rendered) > threads + _AHEAD:
                    yield rendered.popleft().result()
            while rendered:
                yield rendered.popleft().result()

    def _prepared(self, number: int) -> Planes:
        """A still in the film's shape and light, large enough to zoom into."""
        zoom = min(self.move.closest, _MOST_HEADROOM)
        size = _even(self.form.width * zoom), _even(self.form.height * zoom)
        return Planes.of(self.grade.apply(framed(self.stills[number], size)))

    def _frame(self, seen: _Seen, shade: Shade | None) -> Planes:
        views = [self._view(still.result(), layer.moment) for layer, still in seen]
        frame = views[0] if len(views) == 1 else views[0].blended(views[1], seen[1][0].weight)
        return frame.shaded(shade) if shade else frame

    def _view(self, still: Planes, moment: float) -> Planes:
        framing, size = self.move.at(moment), self.form.size
        if framing.roll:
            return still.turned_view(affine(framing, still.size, size), size)
        return still.view(box(framing, still.size, size), size)


def _even(side: float) -> int:
    return round(side / 2) * 2
