"""Catching up with a neighbour that was away, before each task's own pause is over.

While it is away, one task every half minute tries, so that its return is noticed though all pauses have grown long.
Once it has answered for a moment without a failure, all that wait try soon, spread over a time that grows with their
number. Nothing of it is kept: a restarted operator begins as if the neighbour was away.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

from ...deciding.tuning import OUTSIDE
from ...objects import Object

PROBE_SECONDS = 30.0
SETTLE_SECONDS = 2.0
"""Between a success and the release of all that wait; a failure meanwhile calls it off."""
SPREAD_SECONDS = 0.25
"""Of the time over which tasks are released, for each."""

LONGEST_WAIT_SECONDS = OUTSIDE.longest_retry_after.total_seconds()

Hurry = Callable[[Object, float], None]
"""Lets the next try of a task be made in so many seconds, though its pause is longer."""


class Recovery:
    """Whether PayloadCMS is there, as the tries tell, and what follows for those that wait."""

    def __init__(self, tasks: Callable[[], Iterable[Object]], hurry: Hurry) -> None:
        self._tasks = tasks
        self._hurry = hurry
        self._there = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look whether it is there."""
        self._later(PROBE_SECONDS, self._probe)

    def close(self) -> None:
        """Release nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def tell(self, there: bool) -> None:
        """What a try has found out."""
        if there is self._there:
            return
        self._there = there
        if there:
            self._later(SETTLE_SECONDS, self._release)
        else:
            self._later(PROBE_SECONDS, self._probe)

    def wait(self, seconds: float) -> None:
        """It has asked to be left alone for so long: nobody is sent to look before."""
        if not self._there:
            self._later(max(PROBE_SECONDS, min(seconds, LONGEST_WAIT_SECONDS)), self._probe)

    def _probe(self) -> None:
        waiting = self._waiting()
        if waiting:
            self._hurry(min(waiting, key=_due), 0.0)
        self._later(PROBE_SECONDS, self._probe)

    def _release(self) -> None:
        waiting = self._waiting()
        for task in waiting:
            self._hurry(task, random.uniform(0, SPREAD_SECONDS * len(waiting)))

    def _waiting(self) -> list[Object]:
        return [task for task in self._tasks() if _due(task)]

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)


def _due(task: Object) -> str:
    """When the task makes its next try by itself; empty where it makes none. All are in UTC and of one form."""
    due: str = ((task.get("status") or {}).get("registration") or {}).get("nextAttemptAt") or ""
    return due
