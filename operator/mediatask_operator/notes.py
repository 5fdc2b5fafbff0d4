"""What the operator has learned about a task beside the cluster's state, until the status says it.

Lost with the process without harm: a result is read again, a refused Job tried again, and a webhook whose delivery
was not recorded is sent again under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .objects import Key
from .observe import Delivery, Proof, Refusal, Task


@dataclass
class Note:
    """The latest findings about one task."""

    uid: str
    attempt: int
    proof: Proof | None = None
    """About the result of `attempt`."""
    refusal: Refusal | None = None
    delivery: Delivery | None = None
    untold_since: datetime | None = None
    """Since when there has been news that may wait."""


class Notes:
    """Findings by task."""

    def __init__(self) -> None:
        self._notes: dict[Key, Note] = {}

    def of(self, task: Task, attempt: int) -> Note:
        """The findings that still apply: those about another task of that name, or an earlier attempt, do not.

        Args:
            attempt: the latest attempt, which the status need not speak of yet.
        """
        key = (task.namespace, task.name)
        note = self._notes.get(key)
        if note is None or note.uid != task.uid:
            note = self._notes[key] = Note(task.uid, attempt)
        if note.attempt != attempt:
            note.attempt, note.proof, note.refusal = attempt, None, None
        return note

    def forget(self, key: Key) -> None:
        """The task is gone, or there is nothing left to find out about it."""
        self._notes.pop(key, None)
