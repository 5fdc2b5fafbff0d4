"""What a task has used, as its status tells it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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

    def __add__(self, other: Used) -> Used:
        return Used(self.tasks + other.tasks, self.gpu_seconds + other.gpu_seconds)


def used(task: dict[str, Any]) -> tuple[Kind, Used] | None:
    """What an ended task has used over all its attempts; None for one that has not ended."""
    status = task.get("status") or {}
    ended = status.get("completedAt")
    if not ended:
        return None
    kind = Kind(ended[:10], task["spec"]["taskType"], status.get("className") or "")
    return kind, Used(1, float((status.get("cost") or {}).get("gpuSeconds") or 0.0))


def add(totals: dict[Kind, Used], task: dict[str, Any]) -> None:
    """Add a task's usage to that of others."""
    found = used(task)
    if found is not None:
        kind, amount = found
        totals[kind] = totals.get(kind, Used()) + amount
