"""What the view keeps of a task, and what it makes of what it finds."""

from __future__ import annotations

from typing import Any

import orjson

from mediatask_crds.task import METADATA_LIMIT, SCHEDULED_STEP


def scheduled(task: dict[str, Any]) -> bool:
    """Whether a queued task stands in no queue yet, since it may not start before a time that is still to come."""
    status = task.get("status") or {}
    return bool(task["spec"].get("notBefore")) and (not status or status.get("currentStep") == SCHEDULED_STEP)


def slim(task: dict[str, Any]) -> dict[str, Any]:
    """What the view keeps of a resource: all that a status answer needs, which is bounded.

    Metadata that is larger than a task's may be (kubectl can create it; such a task fails) is left out, and
    so is the log of webhooks.
    """
    meta = {key: value for key, value in task["metadata"].items() if key not in ("managedFields", "annotations")}
    spec = {key: value for key, value in task["spec"].items() if key != "taskData"}
    if len(orjson.dumps(spec.get("metadata") or {})) > METADATA_LIMIT:
        del spec["metadata"]
    kept = {**task, "metadata": meta, "spec": spec}
    callback = (task.get("status") or {}).get("callback")
    if callback and "log" in callback:
        shown = {key: value for key, value in callback.items() if key != "log"}
        kept["status"] = {**task["status"], "callback": shown}
    return kept


def document(content: bytes) -> dict[str, Any]:
    """A task as it was written. Raises ValueError for anything else."""
    task = orjson.loads(content)
    if not isinstance(task, dict) or not all(isinstance(task.get(part), dict) for part in ("metadata", "spec")):
        raise ValueError(f"not a task: {content[:100]!r}")
    return task


def document_or_none(content: object) -> dict[str, Any] | None:
    """A task as it was written; None for anything else, such as an error about one key."""
    try:
        return document(content) if isinstance(content, bytes) else None
    except ValueError:
        return None


def lenient(content: bytes) -> dict[str, Any]:
    """The data of an event; nothing for what no writer wrote."""
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}
