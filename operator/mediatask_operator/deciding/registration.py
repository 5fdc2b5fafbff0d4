"""Putting a completed task's media into PayloadCMS: whether, when the next try is, what waits for it. Pure.

The schedule lives in the task's status, so that a restart neither forgets a document nor hurries. It has no end: the
media is registered once PayloadCMS is back, as long as there is the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mediatask_common.times import parse_time, rfc3339
from mediatask_crds.task import Phase, RegistrationState

from .observation import Registration
from .pauses import pause
from .reasons import Reason
from .status import Draft
from .tuning import OUTSIDE

CONDITION = "Registered"
_ERROR_LIMIT = 1000
"""Characters of an error that go into the status: it may quote what PayloadCMS sent."""


@dataclass(frozen=True)
class RegistrationPolicy:
    """What an installation with a PayloadCMS decides."""

    webhook_wait: timedelta = timedelta(seconds=30)
    """How long the webhook of a completion waits for the document's id."""
    excluded_projects: frozenset[str] = frozenset({"test_project"})
    """Projects whose media gets no document."""


def begin(draft: Draft, policy: RegistrationPolicy | None) -> None:
    """The task has completed just now: what completed before there was a PayloadCMS is left alone."""
    completed_before = draft.task.status.phase is Phase.COMPLETED
    if policy is None or completed_before or draft.phase is not Phase.COMPLETED:
        return
    if draft.task.spec.project_id not in policy.excluded_projects:
        draft.status.registration = RegistrationState(next_attempt_at=rfc3339(draft.now, micro=True))
        draft.set(CONDITION, False, Reason.REGISTRATION_PENDING, Reason.REGISTRATION_PENDING.sentence)


def record(draft: Draft, outcome: Registration | None) -> None:
    """Take the outcome of a try into the status, unless it is there already."""
    state, result = draft.status.registration, draft.status.result
    if outcome is None or state is None or result is None or state.attempts >= outcome.number:
        return
    state.attempts = outcome.number
    if outcome.media_id is not None:
        result.payload_media_id = outcome.media_id
        state.registered_at = rfc3339(draft.now)
        state.next_attempt_at = state.last_error = None
        draft.set(CONDITION, True, Reason.REGISTERED, Reason.REGISTERED.sentence)
        return
    state.last_error = outcome.error[:_ERROR_LIMIT] or None
    wait = pause(OUTSIDE, draft.task.uid, outcome.number, permanent=outcome.permanent, retry_after=outcome.retry_after)
    state.next_attempt_at = rfc3339(draft.now + wait, micro=True)
    draft.set(CONDITION, False, outcome.reason, f"{outcome.reason.sentence} {outcome.error[:_ERROR_LIMIT]}".strip())


def due(draft: Draft, hurried: int | None = None) -> datetime | None:
    """When the next try is to be made; None when there is none.

    Args:
        hurried: the tries after which the next one is made at once.
    """
    state = draft.status.registration
    if state is None or not state.next_attempt_at:
        return None
    return draft.now if state.attempts == hurried else parse_time(state.next_attempt_at)


def awaited_until(draft: Draft, policy: RegistrationPolicy | None) -> datetime | None:
    """Until when the webhook of the completion waits for the registration; None when it does not."""
    completed_at = draft.status.completed_at
    if policy is None or completed_at is None or due(draft) is None:
        return None
    until = parse_time(completed_at) + policy.webhook_wait
    return until if draft.now < until else None
