"""Conditions of Jobs, pods and nodes: a list with one entry per type."""

from __future__ import annotations

from datetime import datetime

from mediatask_common.kube import Object
from mediatask_common.times import rfc3339


def condition(owner: Object, kind: str) -> Object | None:
    """The condition of that type, whatever its status."""
    return next((item for item in owner.get("status", {}).get("conditions") or [] if item["type"] == kind), None)


def is_true(owner: Object, kind: str) -> bool:
    found = condition(owner, kind)
    return found is not None and found["status"] == "True"


def set_condition(
    conditions: list[Object], kind: str, status: bool, now: datetime, reason: str = "", message: str = ""
) -> list[Object]:
    """The list with this condition in it; its transition time moves only when the status flips."""
    word = "True" if status else "False"
    old = next((item for item in conditions if item["type"] == kind), None)
    moment = old["lastTransitionTime"] if old and old["status"] == word else rfc3339(now)
    new: Object = {"type": kind, "status": word, "lastTransitionTime": moment}
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    return [new if item["type"] == kind else item for item in conditions] + ([] if old else [new])
