"""Where the seconds went. Every second belongs to one stage: an inner stage pauses the outer one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["inputs", "model", "load", "infer", "encode", "upload"]


class Timings:
    """Seconds per stage of one job."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: dict[Stage, float] = {}
        self._open: list[tuple[Stage, float]] = []

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Count the time inside to `name`."""
        now = self._clock()
        self._settle(now)
        self._open.append((name, now))
        try:
            yield
        finally:
            now = self._clock()
            self._settle(now)
            self._open.pop()
            if self._open:
                self._open[-1] = (self._open[-1][0], now)

    def _settle(self, now: float) -> None:
        """Book the time since the last change of stage."""
        if self._open:
            name, since = self._open[-1]
            self._seconds[name] = self._seconds.get(name, 0.0) + now - since

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, to the millisecond."""
        return {name: round(value, 3) for name, value in self._seconds.items()}
