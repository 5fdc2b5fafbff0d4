"""What a task is charged: the time of its attempts at the prices of their start. Pure.

An attempt's prices go onto its Job, so that they hold from its creation on, and from there into the status. Time that
a disruption has taken is counted and not charged: the project has not asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationError

from mediatask_common import money
from mediatask_common.pricing import FREE_ENDS, MOST_CPU_MILLIS, cpu_millis, rate
from mediatask_common.times import seconds_between
from mediatask_common.usage import charged
from mediatask_crds.base import Resource
from mediatask_crds.cost import Rate
from mediatask_crds.names import ANNOTATION_CHARGE
from mediatask_crds.task import Attempt, Cost, MediaTaskSpec, Phase

from ..objects import Object
from .classes import NoClass, TaskClass


class _Written(Resource):
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    cpu_millis: Annotated[int, Field(ge=0, le=MOST_CPU_MILLIS)] = 0
    rate: Rate | None = None


@dataclass(frozen=True)
class Holding:
    """What an attempt holds, and what that costs."""

    gpus: int = 0
    cpu_millis: int = 0
    rate: Rate | None = None

    @classmethod
    def of(cls, spec: MediaTaskSpec, task_class: TaskClass | NoClass) -> Holding:
        """What an attempt that begins now holds; nothing where its class is gone."""
        if isinstance(task_class, NoClass):
            return cls()
        given = task_class.spec
        cpus = cpu_millis(spec.resources or given.resources)
        return cls(given.gpu.count, cpus, rate(given, cpus, spec.project_id))

    @classmethod
    def on(cls, part: Object) -> Holding | None:
        """What is written on a Job or pod; None where nothing is that can be read."""
        annotations: Mapping[str, str] = part["metadata"].get("annotations") or {}
        try:
            found = _Written.model_validate_json(annotations.get(ANNOTATION_CHARGE, ""), extra="ignore")
        except ValidationError:
            return None
        return cls(found.gpus, found.cpu_millis, found.rate)

    def written(self) -> dict[str, str]:
        """The annotation that keeps it."""
        whole = _Written(gpus=self.gpus, cpu_millis=self.cpu_millis, rate=self.rate)
        return {ANNOTATION_CHARGE: whole.model_dump_json(by_alias=True, exclude_none=True)}


def with_attempt(before: Cost | None, attempt: Attempt) -> Cost | None:
    """The cost with an attempt that has ended; None while nothing that counts was used."""
    ran = seconds_between(attempt.started_at, attempt.ended_at)
    if ran is None or not (attempt.gpus or attempt.cpu_millis or attempt.rate):
        return before
    milliseconds = _milliseconds(ran)
    cost = before.model_copy() if before is not None else Cost()
    cost.gpu_seconds = round(cost.gpu_seconds + milliseconds * (attempt.gpus or 0) / 1000, 3)
    if attempt.cpu_millis:
        cost.cpu_seconds = round((cost.cpu_seconds or 0.0) + milliseconds * attempt.cpu_millis / 10**6, 3)
    if attempt.rate is not None and attempt.reason not in FREE_ENDS:
        _charge(cost, attempt.rate, money.charge(money.micros(attempt.rate.per_hour), milliseconds))
    return cost


def with_completion(before: Cost | None, attempt: Attempt | None) -> Cost | None:
    """The cost with the price per task, once the attempt has completed it."""
    if attempt is None or attempt.rate is None:
        return before
    cost = before.model_copy() if before is not None else Cost()
    _charge(cost, attempt.rate, money.micros(attempt.rate.per_task))
    return cost


def due_by_day(task: Object) -> tuple[str, dict[str, int]]:
    """The currency that a task is charged in, and the millionths by the day on which they became due.

    An attempt is due on the day of its end, the price per task on that of the completion, and neither ever moves to
    another day. What is not explained by the attempts on record, of which only the last ones are kept, is due with the
    oldest.
    """
    status = task.get("status") or {}
    currency, total = next(iter(charged(status).items()), ("", 0))
    days: dict[str, int] = {}
    if not total:
        return currency, days
    attempts = status.get("attempts") or []
    for attempt in attempts:
        if attempt.get("endedAt") and attempt.get("reason") not in FREE_ENDS:
            _add(days, attempt["endedAt"], so_far(attempt, attempt["endedAt"]).get(currency, 0))
    if status.get("phase") == Phase.COMPLETED and attempts:
        rate = attempts[-1].get("rate") or {}
        if rate.get("currency") == currency:
            _add(days, status["completedAt"], money.micros(rate.get("perTask")))
    rest = total - sum(days.values())
    if rest:
        _add(days, min(days, default=status.get("completedAt") or task["metadata"]["creationTimestamp"]), rest)
    return currency, days


def so_far(attempt: Object, moment: str) -> dict[str, int]:
    """What the time of an attempt up to a moment costs, in millionths by currency; nothing before its start."""
    ran, rate = seconds_between(attempt.get("startedAt"), moment), attempt.get("rate")
    if ran is None or rate is None:
        return {}
    return {rate["currency"]: money.charge(money.micros(rate.get("perHour")), _milliseconds(ran))}


def _add(days: dict[str, int], moment: str, amount: int) -> None:
    days[moment[:10]] = days.get(moment[:10], 0) + amount


def _milliseconds(seconds: float) -> int:
    return max(round(seconds * 1000), 0)


def _charge(cost: Cost, rate: Rate, amount: int) -> None:
    cost.currency = cost.currency or rate.currency
    if rate.currency == cost.currency:
        cost.amount = money.spelled(min(money.micros(cost.amount) + amount, money.MOST))
