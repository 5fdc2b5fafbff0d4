"""Where the seconds went. Every second belongs to one stage: an inner stage pauses the outer one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mediatask_crds.podcontract import Stage


class Timings:
    """Seconds per stage of one job."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: dict[Stage, float] = {}
        self._open: list[tuple[Stage, float]] = []

    def add(self, name: Stage, seconds: float) -> None:
        """Count time that passed before there was anything to count it with."""
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

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
            self.add(name, now - since)

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, to the millisecond."""
        return {name: round(value, 3) for name, value in self._seconds.items()}


def process_age() -> float:
    """Seconds since this process was created, to a hundredth."""
    stat = Path("/proc/self/stat").read_text()
    # Field 22; the second one is the command in brackets and may itself hold spaces and brackets.
    ticks = int(stat.rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
