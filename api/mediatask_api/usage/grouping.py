"""Usage by day, type or class. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from mediatask_common import money
from mediatask_common.usage import Kind, Used

from ..http.errors import invalid_field
from .schemas import Amount, Charged, GroupBy, UsageAnswer, UsageItem

DEFAULT_DAYS = 30
MOST_DAYS = 366


def days(first: date | None, last: date | None, today: date) -> list[str]:
    """The days from the first to the last: the last 30 where nothing is said. Raises ApiError (400)."""
    end = last or today
    start = first or end - timedelta(days=min(DEFAULT_DAYS - 1, (end - date.min).days))
    number = (end - start).days + 1
    if not 1 <= number <= MOST_DAYS:
        raise invalid_field(["query", "from"], f"1 to {MOST_DAYS} days up to `to` are expected")
    return [(start + timedelta(days=offset)).isoformat() for offset in range(number)]


def answer(project: str, wanted: list[str], found: Mapping[Kind, Used], by: GroupBy) -> UsageAnswer:
    """The answer for the usage that was found on the days that were asked for."""
    groups: dict[str, Used] = {}
    for kind, amount in found.items():
        name = _name(kind, by)
        groups[name] = groups.get(name, Used()) + amount
    order = sorted(groups) if by is GroupBy.DAY else sorted(groups, key=lambda name: (-groups[name].gpu_seconds, name))
    return UsageAnswer.model_validate(
        {
            "project_id": project,
            "from": wanted[0],
            "to": wanted[-1],
            "group_by": by,
            "items": [UsageItem.model_validate({by.value: name, **_fields(groups[name])}) for name in order],
            "total": Amount(**_fields(sum(groups.values(), Used()))),
        }
    )


def _name(kind: Kind, by: GroupBy) -> str:
    match by:
        case GroupBy.DAY:
            return kind.day
        case GroupBy.TASK_TYPE:
            return kind.task_type
        case GroupBy.CLASS:
            return kind.class_name


def _fields(amount: Used) -> dict[str, Any]:
    charged = [
        Charged(amount=money.spelled(millionths), currency=currency)
        for currency, millionths in sorted(amount.costs.items())
        if millionths
    ]
    return {
        "tasks": amount.tasks,
        "gpu_seconds": round(amount.gpu_seconds, 3),
        "cost": float(charged[0].amount) if len(charged) == 1 else None,
        "costs": charged,
    }
