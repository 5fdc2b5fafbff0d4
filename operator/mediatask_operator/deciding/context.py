"""What the Brain adds to a task's data: whether it is asked, and what the task runs with. Pure.

It is settled once, before the task's first Job, and on record before that Job is created: every attempt runs with the
same, whatever the Brain would say by then.
"""

from __future__ import annotations

from datetime import UTC, datetime

from mediatask_common.times import parse_time, rfc3339
from mediatask_crds.brain import BrainQuestion, ClassBrain, ContextState
from mediatask_crds.taskclass import MediaTaskClassSpec

from .observation import Context
from .pauses import pause
from .plan import AskBrain, Plan, RequeueAfter
from .reasons import Reason
from .status import Draft
from .tuning import CONTEXT

CONDITION = "ContextReady"
_ERROR_LIMIT = 1000
"""Characters of an error that go into the status: it may quote what the Brain sent."""


def questions(brain: ClassBrain, task_type: str) -> list[tuple[int, BrainQuestion]]:
    """What is asked for a task of this type, each with its place in the class."""
    asked = enumerate(brain.questions)
    return [(place, one) for place, one in asked if not one.task_types or task_type in one.task_types]


def before_admission(
    draft: Draft, task_class: MediaTaskClassSpec, outcome: Context | None, give_up_at: datetime, *, has_brain: bool
) -> Plan | None:
    """What is to be done for the task's context before it may be admitted; None where nothing is.

    Args:
        outcome: of the last try to ask.
        give_up_at: the task's total deadline.
        has_brain: whether the installation has one.
    """
    brain, state = task_class.brain, draft.status.context
    if draft.status.attempt or (state is not None and state.decided_at):
        return None
    if brain is None or not questions(brain, draft.task.spec.task_type):
        draft.status.context = None
        draft.drop(CONDITION)
        return None
    if state is None:
        state = draft.status.context = ContextState(next_attempt_at=rfc3339(draft.now, micro=True))
        draft.set(CONDITION, False, Reason.CONTEXT_PENDING, Reason.CONTEXT_PENDING.sentence)
    if not has_brain and _due(state) <= draft.now:
        outcome = Context(state.attempts + 1, reason=Reason.NO_BRAIN, permanent=True)
    if outcome is not None and outcome.number > state.attempts:
        _record(draft, state, brain, outcome)
    condition = draft.condition(CONDITION)
    draft.waiting(Reason.CONTEXT_PENDING, condition.message if condition else "")
    if state.decided_at is not None:
        return Plan((_at(draft.now, draft.now),))
    due = _due(state)
    ask = AskBrain(state.attempts + 1) if has_brain and draft.now >= due else _at(due, draft.now)
    return Plan((ask, _at(give_up_at, draft.now)))


def _record(draft: Draft, state: ContextState, brain: ClassBrain, outcome: Context) -> None:
    state.attempts = outcome.number
    if outcome.settled:
        state.last_error = state.next_attempt_at = None
        state.decided_at = rfc3339(draft.now)
        state.key, state.sha256, state.added = outcome.key, outcome.sha256, list(outcome.added)
        reason = Reason.CONTEXT_ADDED if outcome.key else Reason.NOTHING_TO_ADD
        draft.set(CONDITION, True, reason, f"{reason.sentence} {outcome.error[:_ERROR_LIMIT]}".strip())
        return
    error = outcome.error[:_ERROR_LIMIT]
    state.last_error = error or None
    message = f"{outcome.reason.sentence} {error}".strip()
    if brain.failure_policy == "Open":
        state.next_attempt_at = None
        state.decided_at = rfc3339(draft.now)
        message = f"The task goes on without. {message}"
    else:
        wait = pause(
            CONTEXT, draft.task.uid, outcome.number, permanent=outcome.permanent, retry_after=outcome.retry_after
        )
        state.next_attempt_at = rfc3339(draft.now + wait, micro=True)
    draft.set(CONDITION, False, outcome.reason, message)


def _due(state: ContextState) -> datetime:
    return parse_time(state.next_attempt_at) if state.next_attempt_at else datetime.min.replace(tzinfo=UTC)


def _at(moment: datetime, now: datetime) -> RequeueAfter:
    return RequeueAfter(max((moment - now).total_seconds(), 0.0))
