"""Conditions of Jobs, pods and nodes: a list with one entry per type."""

from __future__ import annotations

from datetime import datetime

from mediatask_common.kube import Object
from mediatask_common.times import rfc3339


def condition(owner: Object, condition_type: str) -> Object | None:
    """The condition of that type, whatever its status."""
    conditions = owner.get("status", {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == condition_type), None)


def is_true(owner: Object, condition_type: str) -> bool:
    found = condition(owner, condition_type)
    return found is not None and found["status"] == "True"


def set_condition(
    conditions: list[Object], condition_type: str, status: bool, now: datetime, reason: str = "", message: str = ""
) -> list[Object]:
    """The list with this condition set; lastTransitionTime changes only with the status."""
    value = "True" if status else "False"
    old = next((item for item in conditions if item["type"] == condition_type), None)
    moment = old["lastTransitionTime"] if old and old["status"] == value else rfc3339(now)
    new: Object = {"type": condition_type, "status": value, "lastTransitionTime": moment}
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    return [new if item["type"] == condition_type else item for item in conditions] + ([] if old else [new])
