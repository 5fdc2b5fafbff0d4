"""Storing a completed task's result in the Brain: whether, and when the next try is. Pure.

Nothing waits for it. The schedule lives in the task's status and has no end: the result is stored once the Brain is
back, as long as there is the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mediatask_common.times import parse_time, rfc3339
from mediatask_crds.brain import MemoryState
from mediatask_crds.task import Phase

from .classes import NoClass, TaskClass
from .observation import Memory
from .pauses import pause
from .reasons import Reason
from .status import Draft
from .tuning import OUTSIDE

CONDITION = "Remembered"
_ERROR_LIMIT = 1000
"""Characters of an error that go into the status: it may quote what the Brain sent."""


@dataclass(frozen=True)
class MemoryPolicy:
    """What an installation with a Brain that stores results decides."""

    excluded_projects: frozenset[str] = frozenset({"test_project"})
    """Projects whose results are not stored."""


def begin(draft: Draft, task_class: TaskClass | NoClass, policy: MemoryPolicy | None) -> None:
    """The task has completed just now: what completed before there was a Brain is left alone."""
    completed_before = draft.task.status.phase is Phase.COMPLETED
    brain = task_class.spec.brain if isinstance(task_class, TaskClass) else None
    if policy is None or brain is None or completed_before or draft.phase is not Phase.COMPLETED:
        return
    if brain.remember and draft.task.spec.project_id not in policy.excluded_projects:
        draft.status.memory = MemoryState(next_attempt_at=rfc3339(draft.now, micro=True))
        draft.set(CONDITION, False, Reason.MEMORY_PENDING, Reason.MEMORY_PENDING.sentence)


def record(draft: Draft, outcome: Memory | None) -> None:
    """Take the outcome of a try into the status, unless it is there already."""
    state = draft.status.memory
    if outcome is None or state is None or state.attempts >= outcome.number:
        return
    state.attempts = outcome.number
    if outcome.stored:
        state.document_id = outcome.document_id
        state.stored_at = rfc3339(draft.now)
        state.next_attempt_at = state.last_error = None
        draft.set(CONDITION, True, Reason.REMEMBERED, Reason.REMEMBERED.sentence)
        return
    error = outcome.error[:_ERROR_LIMIT]
    wait = pause(OUTSIDE, draft.task.uid, outcome.number, permanent=outcome.permanent, retry_after=outcome.retry_after)
    state.last_error = error or None
    state.next_attempt_at = rfc3339(draft.now + wait, micro=True)
    draft.set(CONDITION, False, outcome.reason, f"{outcome.reason.sentence} {error}".strip())


def due(draft: Draft) -> datetime | None:
    """When the next try is to be made; None when there is none."""
    state = draft.status.memory
    return parse_time(state.next_attempt_at) if state is not None and state.next_attempt_at else None
