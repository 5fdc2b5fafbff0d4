"""Spares tasks the wait for a Brain that does not answer, and the Brain their questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .service import BrainAway

FAILURES = 3
"""One after the other, and the Brain counts as away."""
PAUSE_SECONDS = 10.0
"""For so long it is not asked; then by one."""


class Breaker:
    """Counts the conversations without an answer since the last one with."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._away_until = 0.0

    @contextmanager
    def conversation(self) -> Iterator[None]:
        """A conversation that counts. Raises BrainAway where it is not to be begun."""
        if not self.lets_through():
            raise BrainAway(f"it has not answered lately, and is asked again in {PAUSE_SECONDS:g} s at most")
        try:
            yield
        except BrainAway as error:
            self.failed(error)
            raise
        self.answered()

    def lets_through(self) -> bool:
        """Whether the Brain is to be asked now. While it counts as away, one is let through after each pause."""
        if self._failures < FAILURES:
            return True
        now = self._clock()
        if now < self._away_until:
            return False
        self._away_until = now + PAUSE_SECONDS
        return True

    def answered(self) -> None:
        """The Brain is there."""
        self._failures = 0

    def failed(self, error: BrainAway) -> None:
        """The conversation failed, perhaps with an answer: a tool that fails for one may work for the next."""
        if error.answered:
            self.answered()
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._away_until = self._clock() + PAUSE_SECONDS
