"""Events of a task as the service streams them, read from server-sent messages. No I/O."""

from __future__ import annotations

import json
from typing import Any

from mediatask_crds.task import Phase

from .models import Answer

LONGEST_SILENCE = 60.0
"""Seconds without a heartbeat after which a stream counts as lost."""
LONGEST_PAUSE = 5.0
"""Seconds between two connections at most."""


class Event(Answer):
    """Something that has happened to a task."""

    kind: str
    """queued, started, progress, log, preview, completed, failed, cancelled; or one that a newer service knows."""
    id: str | None = None
    """Where a stream goes on from; None for what is not told again."""
    task_id: str
    project_id: str | None = None
    status: Phase | None = None
    """Absent for lines of the log."""
    progress: float | None = None
    current_step: str | None = None
    attempt: int | None = None
    timestamp: str | None = None
    line: str | None = None
    """Of the log."""

    @property
    def ended(self) -> bool:
        """Whether it is the end of the task."""
        return self.kind in ("completed", "failed", "cancelled")


class Messages:
    """Puts the lines of an event stream together."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> Event | None:
        """The event that ends with this line. Raises ValueError for what is no event of this service."""
        if line:
            name, _, value = line.partition(":")
            if name:
                self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields or fields.get("event") == "closed":
            return None
        data: Any = json.loads(fields["data"])
        if not isinstance(data, dict):
            raise ValueError("not an event")
        return Event.model_validate({**data, "kind": fields.get("event", "message"), "id": fields.get("id")})
