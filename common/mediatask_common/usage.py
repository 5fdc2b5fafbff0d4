"""What a task has used, as its status tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .money import micros
from .pricing import FREE_ENDS
from .times import seconds_between


@dataclass(frozen=True)
class Kind:
    """What usage is added up by."""

    day: str
    """On which the task ended: `2026-11-21`, UTC."""
    task_type: str
    class_name: str
    """Class of the last attempt; empty where there was none."""


@dataclass(frozen=True)
class Used:
    """How much."""

    tasks: int = 0
    gpu_seconds: float = 0.0
    costs: Mapping[str, int] = field(default_factory=dict)
    """Millionths by currency."""

    def __add__(self, other: Used) -> Used:
        costs = dict(self.costs)
        for currency, amount in other.costs.items():
            costs[currency] = costs.get(currency, 0) + amount
        return Used(self.tasks + other.tasks, self.gpu_seconds + other.gpu_seconds, costs)


def used(task: dict[str, Any]) -> tuple[Kind, Used] | None:
    """What an ended task has used over all its attempts; None for one that has not ended."""
    status = task.get("status") or {}
    ended = status.get("completedAt")
    if not ended:
        return None
    kind = Kind(ended[:10], task["spec"]["taskType"], status.get("className") or "")
    cost = status.get("cost") or {}
    return kind, Used(1, float(cost.get("gpuSeconds") or 0.0), charged(status))


def charged(status: dict[str, Any]) -> dict[str, int]:
    """Millionths by currency, one at most; nothing for a status that nobody of ours wrote."""
    cost = status.get("cost") or {}
    try:
        amount = micros(cost.get("amount"))
    except ArithmeticError:
        return {}
    return {cost["currency"]: amount} if amount and cost.get("currency") else {}


def charged_seconds(task: dict[str, Any]) -> float:
    """How long the attempts of a task ran that are charged."""
    attempts = (task.get("status") or {}).get("attempts") or []
    ran = (
        seconds_between(attempt.get("startedAt"), attempt.get("endedAt"))
        for attempt in attempts
        if attempt.get("reason") not in FREE_ENDS
    )
    return sum(max(seconds or 0.0, 0.0) for seconds in ran)


def add(totals: dict[Kind, Used], task: dict[str, Any]) -> None:
    """Add a task's usage to that of others."""
    found = used(task)
    if found is not None:
        kind, amount = found
        totals[kind] = totals.get(kind, Used()) + amount
