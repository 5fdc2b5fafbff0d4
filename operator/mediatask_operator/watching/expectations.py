"""What the operator has learned about a task beside the cluster's state, until the status says it.

Lost with the process without harm: a result is read again, a refused Job tried again, and a webhook whose delivery
was not recorded is sent again under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..deciding.observation import Delivery, Proof, Refusal, Task
from ..objects import Key, Object, attempt_number


@dataclass
class Note:
    """The latest findings about one task."""

    uid: str
    attempt: int
    proof: Proof | None = None
    """About the result of `attempt`."""
    refusal: Refusal | None = None
    delivery: Delivery | None = None
    begun: Object | None = None
    """The Job that was created last: so much of it as tells of its attempt."""
    untold_since: datetime | None = None
    """Since when there has been news that may wait."""


class Expectations:
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

    def job_created(self, task: Task, job: Object) -> None:
        """A Job was created: its attempt has begun, whatever becomes of the Job until the status speaks of it."""
        meta = {key: job["metadata"][key] for key in ("name", "labels", "creationTimestamp")}
        self.of(task, attempt_number(job)).begun = {"metadata": meta}

    def begun(self, task: Task) -> Object | None:
        """The Job of an attempt that the status does not speak of yet, as it was created by this process."""
        note = self._notes.get((task.namespace, task.name))
        if note is None or note.uid != task.uid or note.begun is None:
            return None
        if attempt_number(note.begun) <= (task.status.attempt or 0):
            note.begun = None
        return note.begun

    def forget(self, key: Key) -> None:
        """The task is gone, or there is nothing left to find out about it."""
        self._notes.pop(key, None)
