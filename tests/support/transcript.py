"""What was decided in the life of a task, pass by pass, as text that a person can check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from mediatask_common.times import parse_time
from mediatask_operator.deciding.classes import TaskClass
from mediatask_operator.deciding.plan import PatchStatus, Plan
from support.taskworld import START, World

_LISTS = ("conditions", "attempts")
"""A patch has them whole; told is what is new in them."""


def transcript(world: World) -> str:
    """Each plan with its moment."""
    lines: list[str] = []
    before: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for moment, plan in zip(world.moments, world.plans, strict=True):
        told = [f"  {line}" for line in _plan(plan, before)]
        lines += [f"+{(moment - START).total_seconds():g} s, slot: {plan.slot.value}", *told]
    return "\n".join(lines) + "\n"


def _plan(plan: Plan, before: dict[str, list[Any]]) -> Iterator[str]:
    if plan.needs:
        yield f"needs: {plan.needs.value}"
    for action in plan.actions:
        if isinstance(action, PatchStatus):
            yield from (f"status.{line}" for line in _patch(action.patch, before))
        else:
            values = [f"{item.name}={_json(getattr(action, item.name))}" for item in fields(action)]
            yield f"{type(action).__name__} {', '.join(values)}"


def _patch(patch: dict[str, Any], before: dict[str, list[Any]]) -> Iterator[str]:
    for name, value in patch.items():
        if name not in _LISTS or value is None:
            yield f"{name} = {_json(value)}"
            continue
        for item in value:
            if item not in before[name]:
                yield _condition(item) if name == "conditions" else f"{name} + {_json(item)}"
        gone = [item for item in before[name] if _identity(item) not in map(_identity, value)]
        for item in gone:
            yield f"{name} - {_identity(item)}"
        before[name] = value


def _condition(item: dict[str, Any]) -> str:
    since = (parse_time(item["lastTransitionTime"]) - START).total_seconds()
    generation = item["observedGeneration"]
    holds = f"{item['type']}={item['status']} {item['reason']}, since +{since:g} s, generation {generation}"
    return f"conditions: {holds}: {item['message']}"


def _identity(item: dict[str, Any]) -> Any:
    return item.get("type") or item.get("number")


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, TaskClass):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(found) for item in fields(value) if (found := getattr(value, item.name)) is not None}
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else value
