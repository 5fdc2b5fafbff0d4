"""What moderation makes of a task: whether it may run, whether its media is held, and what a review does. Pure.

The request is decided before admission, and that is on record before the first Job is created. Held media is in the
store while the task goes on being `processing`: whatever tells of a completed task waits, and nothing leads to the
media but a review.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mediatask_common.times import parse_time, rfc3339
from mediatask_crds.podcontract import VERDICT
from mediatask_crds.task import MODERATING_STEP, ModerationState, Reviewed, Verdict

from .classes import NoClass, TaskClass
from .observation import Moderation, Observed
from .pauses import pause
from .plan import CheckRequest, Plan, PostEvent, RequeueAfter
from .reasons import Reason
from .status import Draft
from .tuning import MODERATION

CONDITION = "Moderated"
HELD = "Held"
_ERROR_LIMIT = 256


@dataclass(frozen=True)
class ModerationPolicy:
    """What an installation decides."""

    classifier: bool = False
    """Whether a classifier is asked about every request."""
    public_store: bool = False
    """Whether everybody can read the artifact store: nothing can be held then."""


def before_admission(
    draft: Draft, task_class: TaskClass, seen: Observed, policy: ModerationPolicy, give_up_at: datetime
) -> Plan | None:
    """What is to be done about the task's request before it may be admitted; None where nothing is."""
    state, rules = draft.status.moderation, seen.rules
    if state is not None and state.review is not None and state.review.decision == "reject":
        return _refuse(draft, _rejected(state.review))
    if task_class.spec.moderation.output is not None and policy.public_store:
        return _wait(draft, Reason.STORE_PUBLIC, Reason.STORE_PUBLIC.sentence, _at(give_up_at, draft.now))
    if rules is None and not policy.classifier:
        return None
    if rules is not None and rules.fault:
        message = f"{Reason.RULES_UNUSABLE.sentence} {rules.fault}"
        return _wait(draft, Reason.RULES_UNUSABLE, message, _at(give_up_at, draft.now))
    if state is None:
        state = draft.status.moderation = ModerationState()
    outcome = seen.moderation
    if outcome is not None and outcome.number > state.attempts:
        _record(draft, state, outcome, task_class, policy)
    digest = rules.digest if rules is not None else None
    if state.decision is None or state.rules_digest != digest:
        return _check(draft, state, task_class, give_up_at)
    if state.decision == "refuse":
        return _refuse(draft, _who(state, "The request is refused by"))
    if draft.task.status.moderation != state:  # on record first
        return _wait(draft, None, "", _at(draft.now, draft.now))
    return None


def begin_attempt(draft: Draft, task_class: TaskClass | NoClass) -> bool:
    """What the attempt's media has to pass, as the class says now. Returns whether there may be previews."""
    check = task_class.spec.moderation.output if isinstance(task_class, TaskClass) else None
    state = draft.status.moderation
    if check is None and state is None:
        return True
    if state is None:
        state = draft.status.moderation = ModerationState()
    held = state.decision == "hold"
    state.output_check = check.name if check is not None else None
    state.previews = False if held or (check is not None and not check.previews) else None
    return state.previews is None


def held_by(draft: Draft, metadata: dict[str, Any], task_class: TaskClass | NoClass) -> tuple[Reason, str] | None:
    """Why the media of a result waits for a review; None where it does not."""
    verdict, state = _verdict(metadata), draft.status.moderation
    given = task_class.spec.moderation.output if isinstance(task_class, TaskClass) else None
    check = (state.output_check if state is not None else None) or (given.name if given is not None else None)
    if verdict is not None:
        if state is None:
            state = draft.status.moderation = ModerationState()
        state.verdict = verdict
        if verdict.decision == "hold":
            return Reason.HELD_BY_CHECK, f"{verdict.check}: {verdict.reason}, score {verdict.score:g}."
    if check is not None and (verdict is None or verdict.check != check):
        return Reason.NOT_CHECKED, Reason.NOT_CHECKED.sentence
    if state is not None and state.decision == "hold":
        return Reason.HELD_BY_RULE, _who(state, "A review is asked for by")
    return None


def review(draft: Draft) -> PostEvent | None:
    """Let a review of the held media take effect. Returns what there is to tell; None where there is none yet."""
    given, result = draft.task.spec.review, draft.status.result
    if given is None or result is None or not result.artifacts or given.sha256 != result.artifacts[0].sha256:
        return None
    done = Reviewed(decision=given.decision, by=given.by, at=rfc3339(draft.now))
    if draft.status.moderation is None:
        draft.status.moderation = ModerationState()
    draft.status.moderation.review = done
    if given.decision == "reject":
        message = _rejected(done)
        draft.fail(Reason.MODERATION_FAILED, message, retryable=False)
        return PostEvent(Reason.MODERATION_FAILED, message, warning=True)
    message = f"{Reason.RELEASED.sentence} ({given.by})" if given.by else Reason.RELEASED.sentence
    draft.release(message)
    return PostEvent(Reason.RELEASED, message)


def _record(
    draft: Draft, state: ModerationState, outcome: Moderation, task_class: TaskClass, policy: ModerationPolicy
) -> None:
    state.attempts = outcome.number
    state.rules, state.rules_digest, state.score = list(outcome.rules), outcome.digest, outcome.score
    state.last_error = outcome.error[:_ERROR_LIMIT] or None
    state.next_attempt_at = state.decision = None
    unanswered = bool(outcome.error) and outcome.decision != "refuse"
    if unanswered and task_class.spec.moderation.failure_policy == "Closed":
        wait = pause(MODERATION, draft.task.uid, outcome.number, retry_after=outcome.retry_after)
        state.next_attempt_at = rfc3339(draft.now + wait, micro=True)
        message = f"{Reason.CLASSIFIER_AWAY.sentence} {state.last_error}"
        draft.set(CONDITION, False, Reason.CLASSIFIER_AWAY, message)
        return
    state.decision = outcome.decision
    if state.decision == "hold" and policy.public_store:
        state.decision = "refuse"  # a reviewer would not be the only one who can look
    if state.decision == "hold":
        draft.set(CONDITION, True, Reason.REVIEW_NEEDED, _who(state, "Its media will be held because of"))
    elif state.decision == "allow":
        reason = Reason.CLASSIFIER_SKIPPED if unanswered else Reason.REQUEST_ALLOWED
        draft.set(CONDITION, True, reason, reason.sentence)


def _check(draft: Draft, state: ModerationState, task_class: TaskClass, give_up_at: datetime) -> Plan:
    now = draft.now
    due = parse_time(state.next_attempt_at) if state.next_attempt_at else now
    if now < due:
        condition = draft.condition(CONDITION)
        return _wait(draft, None, condition.message if condition else "", _at(min(due, give_up_at), now))
    if draft.condition(CONDITION) is None:
        draft.set(CONDITION, False, Reason.MODERATING, Reason.MODERATING.sentence)
    return _wait(draft, None, "", CheckRequest(state.attempts + 1, task_class.name), _at(give_up_at, now))


def _wait(draft: Draft, reason: Reason | None, message: str, *then: CheckRequest | RequeueAfter) -> Plan:
    if reason is not None:
        draft.set(CONDITION, False, reason, message)
    draft.waiting(reason or Reason.MODERATING, message or Reason.MODERATING.sentence)
    draft.status.current_step = MODERATING_STEP
    return Plan(then)


def _refuse(draft: Draft, message: str) -> Plan:
    draft.set(CONDITION, False, Reason.MODERATION_FAILED, message)
    draft.fail(Reason.MODERATION_FAILED, message, retryable=False)
    return Plan((PostEvent(Reason.MODERATION_FAILED, message, warning=True),))


def _who(state: ModerationState, what: str) -> str:
    """Names the rules, never what they have found."""
    return f"{what} {'rule ' + ', '.join(state.rules) if state.rules else 'the classifier'}."


def _rejected(review: Reviewed) -> str:
    return f"A reviewer rejected the media ({review.by})." if review.by else "A reviewer rejected the media."


def _verdict(metadata: dict[str, Any]) -> Verdict | None:
    """What the job says; None for what is no verdict, as a job is a stranger."""
    try:
        return Verdict.from_stored(metadata[VERDICT])
    except (KeyError, TypeError, ValidationError):
        return None


def _at(moment: datetime, now: datetime) -> RequeueAfter:
    return RequeueAfter(max((moment - now).total_seconds(), 0.0))
