"""What the usage call answers."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from ..http.openapi.schemas import Rest


class GroupBy(StrEnum):
    """What usage is added up by."""

    DAY = "day"
    TASK_TYPE = "task_type"
    CLASS = "class"


class Amount(Rest):
    """How much was used."""

    tasks: int
    """Tasks that ended, however they ended."""
    gpu_seconds: float
    """Time of all attempts, times the GPUs of each."""
    cost: float | None
    """Null: this version knows no prices."""


class UsageItem(Amount):
    """The usage of one group, which is named by one of the first three fields."""

    model_config = ConfigDict(populate_by_name=True)

    day: str | None = None
    """`2026-11-21`, UTC: when the tasks ended."""
    task_type: str | None = None
    class_name: str | None = Field(default=None, alias="class")


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
                    "items": [{"day": "2025-09-24", "tasks": 12, "gpu_seconds": 3372.5, "cost": None}],
                    "total": {"tasks": 12, "gpu_seconds": 3372.5, "cost": None},
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
