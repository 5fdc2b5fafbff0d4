"""One event, and how it is made from a resource, from a report, and from what Redis keeps. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

from mediatask_common.eventpositions import PROGRESS, QUEUED, STARTED, Position, attempt_open, of_phase, round_permille
from mediatask_common.kube import Object
from mediatask_crds.freeform import without_control_characters
from mediatask_crds.task import Phase

from ..tasks.resource import Sign, phase_of, retry_pending, to_answer

_KINDS = {QUEUED: "queued", STARTED: "started", PROGRESS: "progress"}


@dataclass(frozen=True)
class Event:
    """What has happened to a task."""

    task_id: str
    project: str
    uid: str
    kind: str
    """Its name on the wire: queued, started, progress, preview, completed, failed, cancelled."""
    position: Position
    data: dict[str, Any]
    """What the streams tell."""
    ending: dict[str, Any] = field(default_factory=dict)
    """The result, told to the task's own streams only: it may be long."""
    version: int = 0
    """resourceVersion that brought it; 0 for what did not come from the resource."""

    @property
    def id(self) -> str:
        return self.position.event_id(self.uid)

    @property
    def terminal(self) -> bool:
        return self.kind in ("completed", "failed", "cancelled")

    @cached_property
    def for_task(self) -> bytes:
        """Its form in streams of the task."""
        return message(self.kind, {**self.data, **self.ending}, self.id)

    @cached_property
    def for_project(self) -> bytes:
        """Its form in streams of the project, which go on from a resourceVersion."""
        return message(self.kind, {**self.data, "event_id": self.id}, str(self.version) if self.version else None)

    def without_ending(self) -> Event:
        """The event as it is kept for a while."""
        return replace(self, ending={})


def by_position(event: Event) -> Position:
    """Sorts the events of a task."""
    return event.position


def message(kind: str, data: dict[str, Any], id: str | None = None) -> bytes:
    """A message of the event stream."""
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def position_of(task: Object) -> Position:
    """Where a task's present state stands."""
    status = task.get("status") or {}
    return of_phase(
        phase_of(task),
        round_of(task),
        status.get("attempt") or 0,
        attempt_open=attempt_open(status),
        progress=status.get("progress") or 0.0,
    )


def round_of(task: Object) -> int:
    """The round of attempts that a task is in."""
    status = task.get("status") or {}
    if retry_pending(task) and status.get("phase") in (Phase.FAILED, Phase.CANCELLED):
        asked: int = task["spec"].get("retryRequest", 0)
        return asked
    return status.get("round") or 0


def present(task: Object, sign: Sign) -> Event:
    """A task's present state."""
    answer, position = to_answer(task, sign), position_of(task)
    kind = str(answer.status) if answer.status.terminal else _KINDS[position.rank]
    moment = answer.completed_at or (answer.started_at if kind != "queued" else None) or answer.created_at
    data: dict[str, Any] = {
        "task_id": answer.task_id,
        "project_id": answer.project_id,
        "task_type": answer.task_type,
        "status": answer.status,
        "progress": answer.progress,
        "current_step": answer.current_step,
        "attempt": answer.attempt,
        "timestamp": moment,
    }
    ending: dict[str, Any] = {}
    if answer.error is not None:
        data["error"] = answer.error.model_dump(mode="json")
    if answer.result is not None:
        ending["result"] = answer.result.model_dump(mode="json")
    if answer.queue_position is not None:
        data["queue_position"] = answer.queue_position
    return Event(
        answer.task_id,
        answer.project_id,
        task["metadata"]["uid"][:8],
        kind,
        position,
        data,
        ending,
        int(task["metadata"]["resourceVersion"]),
    )


def beginning(later: Event) -> Event:
    """The start of the attempt that a later event of it implies."""
    position = later.position.beginning()
    kept = ("task_id", "project_id", "task_type", "attempt", "timestamp")
    data = {key: later.data[key] for key in kept if key in later.data}
    data |= {"status": Phase.PROCESSING, "progress": 0.0, "current_step": "starting"}
    return replace(later, kind="started", position=position, data=data, ending={})


def news(event: Event, seen: Position | None) -> list[Event]:
    """What an event tells to whoever has seen a position: nothing, the event, or the start of its attempt before it."""
    if not event.position.follows(seen):
        return []
    if event.position.rank == PROGRESS and seen is not None:
        first = beginning(event)
        if first.position.follows(seen):
            return [first, event]
    return [event]


def report(task: Object, attempt: int, progress: float, step: str, sequence: int, **more: Any) -> dict[str, Any]:
    """A job's report in the form that Redis keeps and `from_stream` reads."""
    return {
        "uid": task["metadata"]["uid"][:8],
        "project": task["spec"]["projectId"],
        "task_type": task["spec"]["taskType"],
        "round": round_of(task),
        "attempt": attempt,
        "progress": progress,
        "step": step,
        "sequence": sequence,
        **more,
    }


def from_stream(task_id: str, kind: str, data: dict[str, Any]) -> Event | None:
    """An event as Redis has it; None for what no writer of this version wrote."""
    try:
        if kind in ("progress", "preview"):
            return _reported(task_id, kind, data)
        position = Position(*map(int, data["position"]))
        status = "processing" if kind == "started" else kind
        fields: dict[str, Any] = {
            "task_id": task_id,
            "project_id": str(data["project"]),
            "status": Phase(status),
            "progress": 1.0 if kind == "completed" else 0.0,
            "current_step": None,
            "attempt": int(data["attempt"]),
            "timestamp": str(data["at"]),
        }
        return Event(task_id, fields["project_id"], str(data["uid"]), kind, position, fields)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _reported(task_id: str, kind: str, data: dict[str, Any]) -> Event:
    progress = float(data["progress"])
    position = Position(
        int(data["round"]), int(data["attempt"]), PROGRESS, round_permille(progress), int(data["sequence"])
    )
    fields: dict[str, Any] = {
        "task_id": task_id,
        "project_id": str(data["project"]),
        "task_type": str(data["task_type"]),
        "status": Phase.PROCESSING,
        "progress": progress,
        "current_step": without_control_characters(str(data["step"])),
        "attempt": position.attempt,
        "timestamp": str(data["at"]),
    }
    if data.get("message"):
        fields["message"] = without_control_characters(str(data["message"]))
    if kind == "preview":
        fields |= {"content_type": "image/jpeg", "image": str(data.get("image", ""))}
    return Event(task_id, fields["project_id"], str(data["uid"]), kind, position, fields)
