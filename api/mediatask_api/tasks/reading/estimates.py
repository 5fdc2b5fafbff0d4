"""What a submit is told about what follows: the place in the queue, the usual duration, and what it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from mediatask_common import money, pricing
from mediatask_common.kube import KubeError
from mediatask_crds.tasktypes import task_type as type_model

from ...ttlcache import TtlCache
from ..schemas import EstimateAnswer, EstimatedCost
from .classes import Class, Classes
from .reader import TaskReader

MEASURED_ENOUGH = 3
"""Finished tasks from which on their median is believed more than the type's own estimate."""


class Estimates:
    """Cheap estimates, measured where there is something to measure."""

    def __init__(self, reader: TaskReader, classes: Classes) -> None:
        self._reader = reader
        self._classes = classes
        self._durations: TtlCache[int] = TtlCache(30)
        self._charged: TtlCache[float] = TtlCache(30)

    async def of(self, project: str, task_type: str, priority: int) -> EstimateAnswer:
        """What would follow for a task submitted now."""
        return EstimateAnswer(
            estimated_duration=await self.duration(task_type),
            queue_position=await self.queue_position(task_type, priority),
            cost=await self.cost(project, task_type),
        )

    async def duration(self, task_type: str) -> int:
        """Seconds that a task of the type usually runs."""
        return await self._durations.get(task_type, lambda: self._measure(task_type))

    async def queue_position(self, task_type: str, priority: int) -> int:
        """Place of a task submitted now; 1 is next."""
        return await self._reader.queued(task_type, priority) + 1

    async def cost(self, project: str, task_type: str) -> EstimatedCost | None:
        """What a task of the type usually costs in its default class; None where nothing is known of one."""
        try:
            found = await self._classes.default(task_type)
            if found is None:
                return None
            seconds = await self._charged.get((task_type, found.name), lambda: self._measure_charged(task_type, found))
        except KubeError:
            return None  # it is no reason to refuse a task
        return price(found, seconds, project)

    async def _measure(self, task_type: str) -> int:
        return typical_seconds(await self._reader.durations(task_type), type_model(task_type).typical_seconds)

    async def _measure_charged(self, task_type: str, found: Class) -> float:
        runs = await self._reader.ran(task_type, found.name)
        return usual(runs, type_model(task_type).typical_seconds)


def typical_seconds(runs: Sequence[float], otherwise: int) -> int:
    """The median of run times, in whole seconds; `otherwise` where there are too few."""
    return max(1, round(usual(runs, otherwise)))


def usual(runs: Sequence[float], otherwise: float) -> float:
    """The median; `otherwise` where there are too few."""
    return median(runs) if len(runs) >= MEASURED_ENOUGH else otherwise


def price(found: Class, seconds: float, project: str) -> EstimatedCost:
    """What a completed task of the class costs that runs for so long."""
    rate = pricing.rate(found.spec, pricing.cpu_millis(found.spec.resources), project)
    gpu_seconds = round(seconds * found.spec.gpu.count, 3)
    if rate is None:
        return EstimatedCost(amount=None, currency=None, gpu_seconds=gpu_seconds)
    amount = money.charge(money.micros(rate.per_hour), round(seconds * 1000)) + money.micros(rate.per_task)
    return EstimatedCost(amount=money.spelled(amount), currency=rate.currency, gpu_seconds=gpu_seconds)
