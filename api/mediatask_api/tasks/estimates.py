"""What a submit is told about waiting: the place in the queue and the usual duration."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from mediatask_common.kube import Object
from mediatask_common.times import seconds_between
from mediatask_crds.tasktypes import task_type as type_model

from ..ttlcache import Memo
from .reader import TaskReader

MEASURED_ENOUGH = 3
"""Finished tasks from which on their median is believed more than the type's own estimate."""


class Estimates:
    """Cheap estimates, measured where there is something to measure."""

    def __init__(self, reader: TaskReader) -> None:
        self._reader = reader
        self._durations: Memo[int] = Memo(30)

    async def duration(self, task_type: str) -> int:
        """Seconds that a task of the type usually runs."""
        return await self._durations.get(task_type, lambda: self._measure(task_type))

    async def queue_position(self, task_type: str, priority: int) -> int:
        """Place of a task submitted now; 1 is next."""
        return await self._reader.queued(task_type, priority) + 1

    async def _measure(self, task_type: str) -> int:
        return typical_seconds(await self._reader.recent_completed(task_type), type_model(task_type).typical_seconds)


def typical_seconds(finished: Iterable[Object], otherwise: int) -> int:
    """The median run time of finished tasks, in seconds; `otherwise` where too few have run."""
    statuses = [task.get("status") or {} for task in finished]
    runs = [seconds_between(status.get("startedAt"), status.get("completedAt")) for status in statuses]
    known = [run for run in runs if run is not None]
    return max(1, round(median(known))) if len(known) >= MEASURED_ENOUGH else otherwise
