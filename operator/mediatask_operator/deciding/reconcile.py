"""The rule that everything follows: what is seen of a task, and what is to be done next. Pure.

Level-triggered: the rule looks at what is the case and never at what has just happened, so any event may be lost,
repeated or late. It is read from top to bottom:

1. an attempt is open: follow it, or record its end (`_attempt`);
2. none is open: nothing of an earlier one may run on; then the task ends, waits, or gets its next Job (`_between`);
3. the task has ended: nothing of it may run on (`_after_the_end`); its media is registered and its webhook delivered.

A pass that records the end of an attempt never creates the next Job: what happened is on record first.

What costs something to know (the turn in the admission queue, the task's data) is asked for where the rule comes to
need it: the plan then says so in `needs`, and the rule is applied again with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mediatask_common.budgets import Standing
from mediatask_common.times import parse_time
from mediatask_crds.names import LABEL_CLASS, label_value
from mediatask_crds.podcontract import ExitCode
from mediatask_crds.task import LONGEST_SCHEDULE, Attempt, Phase

from ..objects import attempt_number, job_name
from . import callback, context, memory, moderation, registration
from .attempts import Ended, Live, backoff, judge
from .charges import Holding
from .classes import NoClass, TaskClass, limits, request_error, retry_limit, total_limit
from .cleanup import logs_to_keep, running_on, stop_others
from .memory import MemoryPolicy
from .moderation import ModerationPolicy
from .observation import NotPublished, Observed, Published, StoreAway
from .plan import (
    Action,
    CreateJob,
    Need,
    PatchStatus,
    Plan,
    PostEvent,
    ReadResult,
    RegisterMedia,
    RequeueAfter,
    SendWebhook,
    Slot,
    TellBrain,
)
from .reasons import Reason
from .registration import RegistrationPolicy
from .status import Draft
from .tuning import ATTEMPTS, PAUSES

_SHORT_MESSAGE = 500


@dataclass(frozen=True)
class Policy:
    """What an installation decides for all tasks."""

    status_delay: timedelta = timedelta(0)
    """How long the news that a Job was created may wait for the news that its pod runs, so that both are one write."""
    registration: RegistrationPolicy | None = None
    """How media is put into PayloadCMS; None where there is none."""
    has_brain: bool = False
    """Whether there is a Brain to ask."""
    memory: MemoryPolicy | None = None
    """How results are stored in the Brain; None where there is none that stores any."""
    moderation: ModerationPolicy = field(default_factory=ModerationPolicy)
    """How requests and media are checked, beside the rules."""


def decide(seen: Observed, now: datetime, policy: Policy = Policy()) -> Plan:
    """The next steps for a task, from what is seen of it now."""
    task = seen.task
    if task.spec.managed_by or task.deleting:
        return Plan()
    draft = Draft(task, now)
    if seen.unwritable is not None:
        return _unwritable(seen, draft)
    if draft.phase in (Phase.FAILED, Phase.CANCELLED) and task.spec.retry_request > (task.status.round or 0):
        draft.begin_round()
    if draft.phase.terminal:
        plan = _after_the_end(seen, draft)
    else:
        _adopt(seen, draft)
        plan = _attempt(seen, draft, policy) if draft.open_attempt else _between(seen, draft, policy)
    if plan.needs:
        return plan
    registration.begin(draft, policy.registration)
    registration.record(draft, seen.registration)
    memory.begin(draft, seen.task_class, policy.memory)
    memory.record(draft, seen.memory)
    awaited_until = registration.awaited_until(draft, policy.registration)
    callback.announce(draft, wait=awaited_until is not None)
    callback.redeliver(draft)
    callback.record(draft, seen.delivery)
    patch = draft.patch()
    write = PatchStatus(patch) if patch else None
    then = (
        *plan.then,
        *_registration(seen, draft, policy.registration, awaited_until),
        *_memory(draft, policy),
        *_webhook(draft),
    )
    if write and draft.starting:
        left = policy.status_delay - _since_creation(seen, now)
        # A server's clock may be ahead of ours: never wait longer than the delay itself.
        if timedelta(0) < left <= policy.status_delay:
            write, then = None, (*then, RequeueAfter(left.total_seconds()))
    return replace(plan, write=write, then=then, logs=logs_to_keep(seen))


def _since_creation(seen: Observed, now: datetime) -> timedelta:
    """The age of the task's first Job; zero when it is about to be created."""
    jobs = seen.jobs if seen.begun is None else (*seen.jobs, seen.begun)
    return now - min((parse_time(job["metadata"]["creationTimestamp"]) for job in jobs), default=now)


def _unwritable(seen: Observed, draft: Draft) -> Plan:
    """The API server does not take what there is to say: the task fails, in the fewest words."""
    if not draft.phase.terminal:
        message = f"{Reason.STATUS_REJECTED.sentence} {seen.unwritable}"[:_SHORT_MESSAGE]
        draft.end_attempt(Ended(Reason.STATUS_REJECTED, message))
        draft.fail(Reason.STATUS_REJECTED, message, retryable=True)
    patch = draft.patch()
    return Plan(stop_others(seen, draft.now), write=PatchStatus(patch) if patch else None)


# ---- 1. an attempt is open


def _attempt(seen: Observed, draft: Draft, policy: Policy) -> Plan:
    """Follow the open attempt, or record its end and go on from there."""
    attempt, now, spec = draft.open_attempt, draft.now, seen.task.spec
    assert attempt is not None
    job = next((job for job in seen.jobs if job["metadata"]["name"] == attempt.job_name), None)
    pods = [pod for pod in seen.pods if attempt_number(pod) == attempt.number]
    task_class = seen.task_class.spec if isinstance(seen.task_class, TaskClass) else None
    found = judge(job, pods, limits(spec, task_class), now)
    give_up_at = draft.deadline_from + total_limit(spec, task_class)
    # A result that is there takes precedence over both; one that cannot be read must not hold them up.
    succeeded = isinstance(found, Ended) and found.success and not isinstance(seen.proof, StoreAway)
    unknown = isinstance(found, Live) or isinstance(seen.proof, StoreAway)
    if spec.cancel and not succeeded:
        found = _given_up(found, Reason.CANCELLED, "", counts=False)
    elif unknown and now >= give_up_at:
        why = seen.proof.message if isinstance(seen.proof, StoreAway) else ""
        found = _given_up(found, Reason.TOTAL_DEADLINE, f"{Reason.TOTAL_DEADLINE.sentence} {why}".strip())
    job_created = job["metadata"]["creationTimestamp"] if job else None
    if isinstance(found, Live):
        draft.follow(found, job_created)
        strays = stop_others(seen, draft.now, keep=attempt.number)
        look_again = min(found.look_again or give_up_at, give_up_at)
        return Plan((*strays, _at(look_again, now)), Slot.HOLD)
    if found.may_have_result:
        if seen.proof is None:
            return Plan((ReadResult(attempt.number, found),), Slot.HOLD)
        if isinstance(seen.proof, StoreAway):
            draft.reading_result(seen.proof.message)
            again = ReadResult(attempt.number, found, _store_pause(found, now))
            return Plan((again, _at(give_up_at, now)), Slot.HOLD)
        if isinstance(seen.proof, Published):
            draft.end_attempt(found, job_created)
            held = moderation.held_by(draft, seen.proof.result.metadata, seen.task_class)
            if held is not None:
                draft.hold(seen.proof, *held)
                return Plan((PostEvent(held[0], held[1]),))
            draft.complete(seen.proof)
            return Plan((PostEvent(Reason.COMPLETED, f"Attempt {attempt.number} published its result."),))
        found = _without_result(found, seen.proof)
    if found.exit_code == ExitCode.GPU_OUT_OF_MEMORY and task_class is not None and task_class.fallback_class:
        found = replace(found, counts=False)  # the next class is the remedy, not another try
    draft.end_attempt(found, job_created)
    after = _between(seen, draft, policy, may_create=False)
    if found.reason == Reason.CANCELLED:
        return after
    event = PostEvent("AttemptFailed", f"Attempt {attempt.number}: {found.reason}: {found.message}", warning=True)
    return replace(after, then=(event, *after.then))


def _adopt(seen: Observed, draft: Draft) -> None:
    """Take up an attempt that was begun though the status that speaks of it was not written.

    Its Job tells of it, though it may be gone, or a pod of it: else the attempt would be made a second time.
    """
    unrecorded = [obj for obj in seen.parts if attempt_number(obj) > (draft.status.attempt or 0)]
    if unrecorded and draft.open_attempt is None:
        first = max(unrecorded, key=attempt_number)
        number = attempt_number(first)
        draft.accept()
        draft.begin_attempt(
            number,
            job_name(seen.task.name, seen.task.uid, number),
            _class_name(first["metadata"]["labels"][LABEL_CLASS], seen.task_class),
            Holding.on(first) or Holding.of(seen.task.spec, seen.task_class),
            first["metadata"]["creationTimestamp"],
        )
        moderation.begin_attempt(draft, seen.task_class)


def _class_name(label: str, task_class: TaskClass | NoClass) -> str:
    """The class of a Job by its label, which is a shorter form of long names; the task's may be another by now."""
    if isinstance(task_class, TaskClass) and label_value(task_class.name) == label:
        return task_class.name
    return label


def _given_up(found: Live | Ended, reason: Reason, message: str, *, counts: bool = True) -> Ended:
    """An end that the task's owner or deadline makes; a container that has ended before keeps when and how it did."""
    known = found if isinstance(found, Ended) else Ended(reason, message)
    return replace(
        known, reason=reason, message=message, success=False, counts=counts, retryable=True, may_have_result=False
    )


def _without_result(ended: Ended, proof: NotPublished) -> Ended:
    """An end that the store knows no result of: a success is none without one."""
    if not ended.success:
        return ended
    return replace(ended, reason=proof.reason, message=proof.message, success=False)


def _store_pause(ended: Ended, now: datetime) -> float:
    """A quarter of the time since the attempt's end: it grows, and a restart does not begin anew."""
    shortest, longest = PAUSES.store
    waited = (now - parse_time(ended.ended_at)).total_seconds() if ended.ended_at else 0.0
    return min(max(waited / 4, shortest), longest)


# ---- 2. none is open


def _between(seen: Observed, draft: Draft, policy: Policy, *, may_create: bool = True) -> Plan:
    """No attempt is open: make sure that nothing runs on, then end the task, let it wait, or create its next Job."""
    now, spec = draft.now, seen.task.spec
    if draft.holds(moderation.HELD):
        return _held(seen, draft)
    if running_on(seen, now):
        draft.stopping(Reason.CANCELLING if spec.cancel else Reason.STOPPING_OLD_JOB)
        return Plan((*stop_others(seen, draft.now), _at(now + PAUSES.stopping, now)), Slot.HOLD)
    if spec.cancel:
        draft.cancelled()
        return Plan((PostEvent(Reason.CANCELLED, Reason.CANCELLED.sentence),))
    if seen.data is None and draft.condition("Accepted") is None:
        return Plan(needs=Need.DATA)
    failure = _failure(seen, draft)
    if failure is not None:
        if failure.of_request or draft.condition("Accepted") is None:
            draft.set("Accepted", False, failure.reason, failure.message)
        draft.fail(failure.reason, failure.message, retryable=failure.retryable)
        return Plan((PostEvent("Failed", f"{failure.reason}: {failure.message}", warning=True),))
    task_class = seen.task_class
    if isinstance(task_class, NoClass):
        draft.not_accepted(task_class.reason, task_class.message)
        return Plan((_at(draft.deadline_from + total_limit(spec, None), now),))
    draft.accept()
    give_up_at = draft.round_started + total_limit(spec, task_class.spec)
    checking = moderation.before_admission(draft, task_class, seen, policy.moderation, give_up_at)
    if checking is not None:
        return checking
    if seen.task.not_before is not None and now < seen.task.not_before:
        draft.scheduled(seen.task.not_before)
        return Plan((_at(seen.task.not_before, now),))
    asking = context.before_admission(draft, task_class.spec, seen.context, give_up_at, has_brain=policy.has_brain)
    return asking or _next_attempt(seen, draft, task_class, may_create=may_create)


def _held(seen: Observed, draft: Draft) -> Plan:
    """The media waits for a reviewer, without any limit of time; it takes no slot meanwhile."""
    keep = draft.status.attempt
    if seen.task.spec.cancel:
        draft.cancelled()
        return Plan((PostEvent(Reason.CANCELLED, Reason.CANCELLED.sentence),))
    event = moderation.review(draft)
    return Plan((*stop_others(seen, draft.now, keep=keep), *((event,) if event else ())))


def _next_attempt(seen: Observed, draft: Draft, task_class: TaskClass, *, may_create: bool) -> Plan:
    """Create the next Job once its pause is over and it is the task's turn."""
    now, task = draft.now, seen.task
    number = (draft.status.attempt or 0) + 1
    give_up_at = draft.deadline_from + total_limit(task.spec, task_class.spec)
    earlier = draft.round_attempts
    if earlier and earlier[-1].ended_at:
        pause = backoff(task.uid, number, len(earlier))
        # A node's clock may be ahead of ours: never wait longer than the pause itself.
        start_at = min(parse_time(earlier[-1].ended_at), now) + pause
        if now < start_at or not may_create:
            draft.waiting(Reason.WAITING_FOR_RETRY, f"Attempt {number - 1} ended: {earlier[-1].reason}")
            return Plan((_at(min(start_at, give_up_at), now),))
    refusal = seen.refusal
    if refusal is not None and refusal.attempt == number and now < refusal.until:
        draft.waiting(refusal.reason, refusal.message)
        return Plan((_at(min(refusal.until, give_up_at), now),), Slot.WAIT)
    if seen.turn is None:
        return Plan(slot=Slot.WAIT, needs=Need.TURN)
    if seen.turn.over_budget is not None:
        return _over_budget(draft, seen.turn.over_budget)
    draft.funded()
    if not seen.turn.admitted:
        draft.queued(seen.turn)
        refresh = now + max(PAUSES.queue, timedelta(seconds=seen.turn.position))
        return Plan((_at(min(refresh, give_up_at), now),), Slot.WAIT)
    if seen.data is None:
        return Plan(slot=Slot.HOLD, needs=Need.DATA)
    name = job_name(task.name, task.uid, number)
    draft.begin_attempt(number, name, task_class.name, Holding.of(task.spec, task_class))
    previews = moderation.begin_attempt(draft, task_class)
    enriched = draft.status.context is not None and draft.status.context.key is not None
    faulty = {attempt.node for attempt in earlier if attempt.exit_code == ExitCode.GPU_FAULT and attempt.node}
    return Plan(
        (PostEvent(Reason.JOB_CREATED, f"Created Job {name}"),),
        Slot.HOLD,
        create=CreateJob(number, task_class, None if enriched else seen.data, tuple(sorted(faulty)), previews),
    )


def _over_budget(draft: Draft, standing: Standing) -> Plan:
    """The project has no money for the task: it ends, or waits outside the queue, so that it holds up nobody."""
    if standing.budget.when_exceeded == "refuse":
        draft.fail(Reason.BUDGET_EXCEEDED, standing.message, retryable=True)
        return Plan((PostEvent(Reason.BUDGET_EXCEEDED, standing.message, warning=True),))
    draft.over_budget(standing.message)
    again = min(standing.period.renews_at, draft.now + PAUSES.budget)
    return Plan((_at(again, draft.now),))


@dataclass(frozen=True)
class _Failure:
    reason: str
    message: str
    retryable: bool
    of_request: bool = False
    """Whether it is the request that cannot be accepted."""


def _failure(seen: Observed, draft: Draft) -> _Failure | None:
    """Why the task is given up; None while another attempt may still help."""
    spec, task_class = seen.task.spec, seen.task_class
    found = task_class.spec if isinstance(task_class, TaskClass) else None
    wrong = None if seen.data is None else request_error(spec, seen.data)
    if wrong is not None:
        return _Failure(Reason.INVALID_TASK_DATA, wrong, retryable=False, of_request=True)
    scheduled = seen.task.not_before
    if scheduled is not None and scheduled > parse_time(seen.task.created_at) + LONGEST_SCHEDULE:
        return _Failure(Reason.INVALID_SCHEDULE, Reason.INVALID_SCHEDULE.sentence, retryable=False, of_request=True)
    if isinstance(task_class, NoClass) and task_class.final:
        return _Failure(task_class.reason, task_class.message, retryable=False, of_request=True)
    if seen.refusal is not None and seen.refusal.final:
        taken = seen.refusal.reason is Reason.JOB_NAME_TAKEN
        return _Failure(seen.refusal.reason, seen.refusal.message, retryable=taken, of_request=not taken)
    ended = draft.round_attempts
    if ended:
        last = ended[-1]
        why, details = last.reason or Reason.JOB_FAILED, last.message or ""
        spent = sum(attempt.counts is not False for attempt in ended)
        if last.retryable is False and not _falls_back(last, task_class, draft):
            return _Failure(why, details, retryable=False)
        if spent > retry_limit(spec, found):
            return _Failure(why, f"{details} (attempt {spent} of {spent})".strip(), retryable=True)
        if len(ended) - spent > ATTEMPTS.most_disruptions:
            return _Failure(Reason.TOO_MANY_DISRUPTIONS, f"the last one: {why}: {details}", retryable=True)
    if draft.now >= draft.deadline_from + total_limit(spec, found):
        return _Failure(Reason.TOTAL_DEADLINE, Reason.TOTAL_DEADLINE.sentence, retryable=True)
    return None


def _falls_back(last: Attempt, task_class: TaskClass | NoClass, draft: Draft) -> bool:
    """Whether another class takes over after GPU memory ran out: seen as the next one, or named by the last one."""
    if last.exit_code != ExitCode.GPU_OUT_OF_MEMORY or isinstance(task_class, NoClass):
        return False
    return task_class.name != draft.status.class_name or task_class.spec.fallback_class is not None


# ---- 3. the task has ended


def _after_the_end(seen: Observed, draft: Draft) -> Plan:
    """Nothing of an ended task runs on; the completed attempt's own Job ends by itself."""
    keep = draft.status.attempt if draft.phase is Phase.COMPLETED else None
    return Plan(stop_others(seen, draft.now, keep=keep))


def _registration(
    seen: Observed, draft: Draft, policy: RegistrationPolicy | None, awaited_until: datetime | None
) -> tuple[Action, ...]:
    when, state = registration.due(draft, seen.hurried), draft.status.registration
    if policy is None or when is None or state is None:
        return ()
    awaited = (_at(awaited_until, draft.now),) if awaited_until is not None else ()
    return (RegisterMedia(state.attempts + 1) if draft.now >= when else _at(when, draft.now), *awaited)


def _memory(draft: Draft, policy: Policy) -> tuple[Action, ...]:
    when, state = memory.due(draft), draft.status.memory
    if policy.memory is None or when is None or state is None:
        return ()
    return (TellBrain(state.attempts + 1) if draft.now >= when else _at(when, draft.now),)


def _webhook(draft: Draft) -> tuple[Action, ...]:
    when, state = callback.due(draft), draft.status.callback
    if when is None or state is None:
        return ()
    return (SendWebhook(state.id, state.attempts + 1),) if draft.now >= when else (_at(when, draft.now),)


def _at(moment: datetime, now: datetime) -> RequeueAfter:
    return RequeueAfter(max((moment - now).total_seconds(), 0.0))
