"""Events of a task as the service streams them, read from server-sent messages. No I/O."""

from __future__ import annotations

import base64
import binascii
import json
from collections import OrderedDict
from enum import Enum
from typing import Any

from mediatask_crds.task import Phase

from ..models import Answer

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
    event_id: str | None = None
    """Names the event in a project's stream, where the same one may come twice."""
    line: str | None = None
    """Of the log."""
    image: str | None = None
    """Of a preview, in base64; see `picture`."""

    @property
    def picture(self) -> bytes | None:
        """A preview as a small JPEG file; None for other events."""
        try:
            return base64.b64decode(self.image, validate=True) if self.image else None
        except (binascii.Error, ValueError):
            return None

    @property
    def ended(self) -> bool:
        """Whether it is the end of the task."""
        return self.kind in ("completed", "failed", "cancelled")


class Sign(Enum):
    """What a stream tells beside events."""

    OPENED = "opened"
    ALIVE = "alive"
    """A heartbeat."""
    OVER = "over"
    """There is nothing more, and will not be."""


class Seen:
    """How far the events of each task in a project's stream have come; of many tasks, of the latest ones.

    The numbers of an `event_id`, `uid.round.attempt.kind.progress.sequence`, grow as the events of a task follow each
    other.
    """

    MOST = 10_000

    def __init__(self) -> None:
        self._reached: OrderedDict[str, tuple[str, list[int]]] = OrderedDict()

    def again(self, event: Event) -> bool:
        """Whether the event, or one that follows it, was given before; from now on it was."""
        uid, *numbers = (event.event_id or "").split(".")
        if not numbers or not all(number.isdecimal() for number in numbers):
            return False
        position = [int(number) for number in numbers]
        before = self._reached.pop(event.task_id, None)
        again = before is not None and before[0] == uid and position <= before[1]
        self._reached[event.task_id] = before if again and before is not None else (uid, position)
        if len(self._reached) > self.MOST:
            self._reached.popitem(last=False)
        return again


class Messages:
    """Puts the lines of an event stream together."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> Event | Sign | None:
        """The event that ends with this line, or a heartbeat. Raises ValueError: it is no event of this service."""
        if line.startswith(":"):
            return Sign.ALIVE
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
