"""Cost records: one line for each ended task. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mediatask_common.csvtext import csv_lines
from mediatask_common.kube import Object

from ..tasks.resource import cost_of, phase_of
from .schemas import CostRecord

COLUMNS = (
    "task_id", "task_type", "class", "status", "completed_at", "attempts",
    "gpu_seconds", "cpu_seconds", "amount", "currency",
)  # fmt: skip


def records(tasks: Iterable[Object], wanted: Sequence[str]) -> list[CostRecord]:
    """Those of the tasks that ended on these days."""
    first, last = wanted[0], wanted[-1]
    ended = ((task, ((task.get("status") or {}).get("completedAt") or "")[:10]) for task in tasks)
    return [_record(task) for task, day in ended if day and first <= day <= last]


def as_csv(found: Iterable[CostRecord], *, heading: bool) -> str:
    """A line for each record, after one with the names of the columns."""
    rows = ([record.model_dump(by_alias=True)[name] for name in COLUMNS] for record in found)
    return csv_lines([COLUMNS] if heading else []) + csv_lines(rows)


def _record(task: Object) -> CostRecord:
    status, cost = task["status"], cost_of(task)
    return CostRecord.model_validate(
        {
            "task_id": task["metadata"]["name"],
            "task_type": task["spec"]["taskType"],
            "class": status.get("className"),
            "status": phase_of(task),
            "completed_at": status["completedAt"],
            "attempts": status.get("attempt", 0),
            "gpu_seconds": cost.gpu_seconds if cost else 0.0,
            "cpu_seconds": cost.cpu_seconds if cost else 0.0,
            "amount": cost.amount if cost else None,
            "currency": cost.currency if cost else None,
        }
    )
