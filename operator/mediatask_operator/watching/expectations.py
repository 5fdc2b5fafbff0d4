"""What the operator knows about a task beside the cluster's state, until the status says it.

Lost with the process without harm: a result is read again, a refused Job tried again, and a webhook whose delivery
was not recorded is sent again under the same id; a document that was created and not recorded is found again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..deciding.observation import (
    Context,
    Delivery,
    Memory,
    Moderation,
    Outcome,
    Proved,
    Refusal,
    Registration,
    Task,
)
from ..objects import Key, Object, attempt_number, key_of


@dataclass
class Expectation:
    """What is known about one task."""

    uid: str = ""
    proved: Proved | None = None
    refusal: Refusal | None = None
    delivery: Delivery | None = None
    registration: Registration | None = None
    context: Context | None = None
    memory: Memory | None = None
    moderation: Moderation | None = None
    begun: Object | None = None
    """The Job that was created last: so much of it as tells of its attempt."""

    unwritable: str | None = None
    """Why the API server did not take the last status."""
    hurried: int | None = None
    """The tries to register the media after which the next one need not wait."""

    @property
    def empty(self) -> bool:
        return not any(getattr(self, one.name) for one in fields(self) if one.name != "uid")


_NOTHING = Expectation()
_OF_A_JOB = ("name", "labels", "annotations", "creationTimestamp")


class Expectations:
    """What is known, by task."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Expectation] = {}

    def __len__(self) -> int:
        """Tasks about which something is known."""
        return len(self._by_key)

    def of(self, task: Task) -> Expectation:
        """What is known about the task, to be read only; nothing that was about another task of that name."""
        known = self._by_key.get(task.key)
        return known if known is not None and known.uid == task.uid else _NOTHING

    def begun(self, task: Task) -> Object | None:
        """The Job of an attempt that the status does not speak of yet, as it was created by this process."""
        job = self.of(task).begun
        return job if job is not None and attempt_number(job) > (task.status.attempt or 0) else None

    def job_created(self, task: Task, job: Object) -> None:
        """A Job was created: its attempt has begun, whatever becomes of the Job until the status speaks of it."""
        known = self._for(task)
        known.begun = {"metadata": {key: job["metadata"].get(key) for key in _OF_A_JOB}}
        known.refusal = None

    def job_refused(self, task: Task, refusal: Refusal) -> None:
        """The API server did not take a Job."""
        self._for(task).refusal = refusal

    def status_refused(self, task: Task, why: str) -> None:
        """The API server finds a status invalid."""
        self._for(task).unwritable = why

    def hurry(self, task: Object) -> None:
        """The next try to register the task's media need not wait for its time."""
        known = self._about(key_of(task), task["metadata"]["uid"])
        known.hurried = task["status"]["registration"].get("attempts", 0)

    def learned(self, task: Task, outcome: Outcome) -> None:
        """An effect has ended."""
        known = self._for(task)
        match outcome:
            case Proved():
                known.proved = outcome
            case Delivery():
                known.delivery = outcome
            case Registration():
                known.registration = outcome
            case Context():
                known.context = outcome
            case Memory():
                known.memory = outcome
            case Moderation():
                known.moderation = outcome

    def recorded(self, task: Task) -> None:
        """Forget what the status says by now."""
        known, status = self.of(task), task.status
        if known is _NOTHING:
            return
        over = status.phase is not None and status.phase.terminal
        known.unwritable = None
        if known.begun is not None and self.begun(task) is None:
            known.begun = None
        if known.proved is not None and (status.open_attempt is None or status.attempt != known.proved.attempt):
            known.proved = None
        if known.refusal is not None and over:
            known.refusal = None
        callback, delivery = status.callback, known.delivery
        if delivery and (
            callback is None or callback.id != delivery.webhook_id or callback.attempts >= delivery.number
        ):
            known.delivery = None
        if known.registration and (
            status.registration is None or status.registration.attempts >= known.registration.number
        ):
            known.registration = None
        if known.context and (over or status.context is None or status.context.attempts >= known.context.number):
            known.context = None
        if known.memory and (status.memory is None or status.memory.attempts >= known.memory.number):
            known.memory = None
        if status.registration is None or status.registration.attempts != known.hurried:
            known.hurried = None
        checked = status.moderation.attempts if status.moderation is not None else 0
        if known.moderation and (over or checked >= known.moderation.number):
            known.moderation = None
        if known.empty:
            self.forget(task.key)

    def forget(self, key: Key) -> None:
        """The task is gone, or there is nothing left to know about it."""
        self._by_key.pop(key, None)

    def _for(self, task: Task) -> Expectation:
        return self._about(task.key, task.uid)

    def _about(self, key: Key, uid: str) -> Expectation:
        known = self._by_key.get(key)
        if known is None or known.uid != uid:
            known = self._by_key[key] = Expectation(uid)
        return known
