"""What the usage call answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict, Field

from mediatask_common.budgets import PeriodKind, WhenExceeded
from mediatask_crds.task import Phase

from ..http.openapi.schemas import Rest


class GroupBy(StrEnum):
    """What usage is added up by."""

    DAY = "day"
    TASK_TYPE = "task_type"
    CLASS = "class"


class Charged(Rest):
    """An amount of money."""

    amount: str
    """Decimal text."""
    currency: str
    """ISO 4217 code."""


class Amount(Rest):
    """How much was used."""

    tasks: int
    """Tasks that ended, however they ended."""
    gpu_seconds: float
    """Time of all attempts, times the GPUs of each."""
    cost: float | None
    """What is charged; null where nothing has a price, or in several currencies."""
    costs: list[Charged]
    """The same for each currency, exactly."""


class UsageItem(Amount):
    """The usage of one group, which is named by one of the first three fields."""

    model_config = ConfigDict(populate_by_name=True)

    day: str | None = None
    """`2026-11-21`, UTC: when the tasks ended."""
    task_type: str | None = None
    class_name: str | None = Field(default=None, alias="class")


_SAMPLE: dict[str, Any] = {
    "tasks": 12,
    "gpu_seconds": 3372.5,
    "cost": 2.342014,
    "costs": [{"amount": "2.342014", "currency": "EUR"}],
}


class UsageAnswer(Rest):
    """The usage of a project."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project_id": "detective_series_001",
                    "from": "2025-09-01",
                    "to": "2025-09-30",
                    "group_by": "day",
                    "items": [{"day": "2025-09-24", **_SAMPLE}],
                    "total": _SAMPLE,
                }
            ]
        }
    )

    project_id: str
    first_day: str = Field(alias="from")
    last_day: str = Field(alias="to")
    group_by: GroupBy
    items: list[UsageItem]
    """Days in order, else by GPU time, the most first; groups without usage are left out."""
    total: Amount


class BudgetItem(Rest):
    """A budget, and how it stands. Amounts are decimal text."""

    period: PeriodKind
    """By the calendar, in UTC; weeks begin on Monday."""
    limit: str
    """What may be spent in each period."""
    currency: str
    """ISO 4217 code; what is charged in others does not count."""
    when_exceeded: WhenExceeded
    """What becomes of tasks for which it leaves too little."""
    spent: str
    """What is charged in the present period, deleted tasks included."""
    reserved: str
    """What the running attempts are expected to cost."""
    left: str
    """What neither is spent nor reserved."""
    state: Literal["ok", "warning", "exceeded"]
    """`warning` from 80 % on, `exceeded` when nothing is left."""
    renews_at: str
    """When the next period begins. RFC 3339, UTC."""


class BudgetsAnswer(Rest):
    """The budgets of a project, those that renew first at the head."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project_id": "detective_series_001",
                    "budgets": [
                        {
                            "period": "month",
                            "limit": "500",
                            "currency": "EUR",
                            "when_exceeded": "wait",
                            "spent": "412.5",
                            "reserved": "1.25",
                            "left": "86.25",
                            "state": "warning",
                            "renews_at": "2025-10-01T00:00:00Z",
                        }
                    ],
                }
            ]
        }
    )

    project_id: str
    budgets: list[BudgetItem]


class CostRecord(Rest):
    """What one task has used and is charged."""

    model_config = ConfigDict(populate_by_name=True)

    task_id: str
    task_type: str
    class_name: str | None = Field(alias="class")
    """Class of the last attempt."""
    status: Phase
    completed_at: str
    """RFC 3339, UTC."""
    attempts: int
    gpu_seconds: float
    cpu_seconds: float
    amount: str | None
    """Decimal text; null where nothing has a price."""
    currency: str | None


class CostRecords(Rest):
    """Some of a project's cost records."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "records": [
                        {
                            "task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
                            "task_type": "generate_video",
                            "class": "video",
                            "status": "completed",
                            "completed_at": "2025-09-24T10:35:30Z",
                            "attempts": 1,
                            "gpu_seconds": 298.0,
                            "cpu_seconds": 1192.0,
                            "amount": "0.206947",
                            "currency": "EUR",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    records: list[CostRecord]
    """By the creation of their tasks, the newest first."""
    next_cursor: str | None
    """Where they go on; null at the end. There may be more though this answer has few or none."""
