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
    """Events of a project's stream that were given already; the latest are remembered."""

    MOST = 10_000

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], None] = OrderedDict()

    def again(self, event: Event) -> bool:
        """Whether the event was given before; from now on it was."""
        if event.event_id is None:
            return False
        name = (event.task_id, event.event_id)
        if name in self._ids:
            return True
        self._ids[name] = None
        if len(self._ids) > self.MOST:
            self._ids.popitem(last=False)
        return False


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
