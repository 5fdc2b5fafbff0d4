"""What a submit is told about waiting: the place in the queue and the usual duration."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from mediatask_crds.tasktypes import task_type as type_model

from ...ttlcache import TtlCache
from .reader import TaskReader

MEASURED_ENOUGH = 3
"""Finished tasks from which on their median is believed more than the type's own estimate."""


class Estimates:
    """Cheap estimates, measured where there is something to measure."""

    def __init__(self, reader: TaskReader) -> None:
        self._reader = reader
        self._durations: TtlCache[int] = TtlCache(30)

    async def duration(self, task_type: str) -> int:
        """Seconds that a task of the type usually runs."""
        return await self._durations.get(task_type, lambda: self._measure(task_type))

    async def queue_position(self, task_type: str, priority: int) -> int:
        """Place of a task submitted now; 1 is next."""
        return await self._reader.queued(task_type, priority) + 1

    async def _measure(self, task_type: str) -> int:
        return typical_seconds(await self._reader.durations(task_type), type_model(task_type).typical_seconds)


def typical_seconds(runs: Sequence[float], otherwise: int) -> int:
    """The median of run times, in seconds; `otherwise` where there are too few."""
    return max(1, round(median(runs))) if len(runs) >= MEASURED_ENOUGH else otherwise
