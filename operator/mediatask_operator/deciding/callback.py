"""The state of a webhook: which one is due, when the next try is, when it is given up. Pure.

The whole schedule lives in the task's status, so that a restart neither forgets a webhook nor begins again.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

from mediatask_common.times import parse_time, rfc3339
from mediatask_crds.task import CallbackState, CallbackTry, Event, Phase

from .observation import Delivery
from .reasons import Reason
from .status import Draft

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""Pause before each try: about 75 hours in all, as Standard Webhooks recommends."""
LONGEST_RETRY_AFTER = timedelta(hours=24)
TRIES_KEPT = 20
"""As many as the status may hold: those of two schedules."""
_LOGGED_ERROR_LIMIT = 256
_ERROR_LIMIT = 1000
"""Characters of an error that go into the status: it may quote what a receiver sent."""

_EVENT_OF_PHASE = {
    Phase.PROCESSING: Event.STARTED,
    Phase.COMPLETED: Event.COMPLETED,
    Phase.FAILED: Event.FAILED,
    Phase.CANCELLED: Event.CANCELLED,
}
COMPLETED, REGISTERED = f"task.{Event.COMPLETED}", f"task.{Event.REGISTERED}"
PHASE_OF_EVENT = {f"task.{event}": phase for phase, event in _EVENT_OF_PHASE.items()} | {REGISTERED: Phase.COMPLETED}
"""The phase that an event tells of, by the event's name in a message."""


def webhook_id(task_uid: str, event: str, round_: int) -> str:
    """The id of a webhook: the same on every try, by every replica, after every restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mediatask:{task_uid}/{event}/{round_}"))


def announce(draft: Draft, *, wait: bool = False) -> None:
    """Begin the webhook of what has come to pass, where the callback asks for it and it has not begun.

    Args:
        wait: whether news of the completion wait for the media's registration.
    """
    callback = draft.task.spec.callback
    event = Event.REGISTERED if _registration_is_news(draft) else _EVENT_OF_PHASE.get(draft.phase)
    if callback is None or event is None or event not in callback.events:
        return
    if event is Event.STARTED and draft.status.started_at is None:
        return  # a pod that ended unseen: the message could not say the same at every try
    known = draft.status.callback
    new_id = webhook_id(draft.task.uid, event, draft.status.round or 0)
    if (known is not None and known.id == new_id) or (wait and event is Event.COMPLETED):
        return
    draft.status.callback = CallbackState(
        id=new_id,
        event=f"task.{event}",
        next_attempt_at=rfc3339(draft.now, micro=True),
        # What was asked for before is about an earlier webhook.
        redelivery=draft.task.spec.redeliver_request or None,
    )
    registration = draft.status.registration
    if event is Event.COMPLETED and registration is not None and registration.registered_at is None:
        registration.late = True
    draft.set("CallbackDelivered", False, Reason.PENDING, Reason.PENDING.sentence)


def _registration_is_news(draft: Draft) -> bool:
    """Whether the media's registration is to be told by itself: no news of the completion tells of it, or tries to."""
    callback, state, registration = draft.task.spec.callback, draft.status.callback, draft.status.registration
    if callback is None or Event.REGISTERED not in callback.events:
        return False
    if registration is None or registration.registered_at is None:
        return False
    if Event.COMPLETED in callback.events and not registration.late:
        return False
    return state is None or state.event != COMPLETED or state.next_attempt_at is None


def redeliver(draft: Draft) -> None:
    """Begin the schedule of the last webhook anew, under its id, where that is asked for."""
    state, asked = draft.status.callback, draft.task.spec.redeliver_request
    if state is None or asked <= (state.redelivery or 0):
        return
    state.redelivery = asked
    state.begun_after = state.attempts
    state.requested_at = rfc3339(draft.now)
    state.delivered_at = None
    state.next_attempt_at = rfc3339(draft.now, micro=True)
    registration = draft.status.registration
    if state.event == COMPLETED and registration is not None and registration.registered_at is not None:
        registration.late = None  # this message tells of it
    draft.set("CallbackDelivered", False, Reason.REDELIVERING, Reason.REDELIVERING.sentence)


def record(draft: Draft, delivery: Delivery | None) -> None:
    """Take the outcome of a try into the status, unless it is there already or another webhook has begun."""
    state = draft.status.callback
    if delivery is None or state is None or state.id != delivery.webhook_id or state.attempts >= delivery.number:
        return
    error = delivery.error[:_ERROR_LIMIT]
    state.attempts = delivery.number
    state.last_status_code = delivery.status_code
    state.last_error = error or None
    state.next_attempt_at = None
    tried = CallbackTry(
        number=delivery.number,
        at=rfc3339(draft.now),
        status_code=delivery.status_code,
        error=error[:_LOGGED_ERROR_LIMIT] or None,
    )
    state.log = [*state.log, tried][-TRIES_KEPT:]
    of_schedule = delivery.number - (state.begun_after or 0)
    if delivery.ok:
        state.delivered_at = rfc3339(draft.now)
        draft.set("CallbackDelivered", True, Reason.DELIVERED, Reason.DELIVERED.sentence)
    elif delivery.permanent:
        reason = Reason.RECEIVER_GONE if delivery.status_code == 410 else Reason.INVALID_URL
        draft.set("CallbackDelivered", False, reason, error or reason.sentence)
    elif of_schedule >= len(SCHEDULE):
        draft.set("CallbackDelivered", False, Reason.EXHAUSTED, error)
    else:
        pause = _pause(delivery, of_schedule)
        state.next_attempt_at = rfc3339(draft.now + pause, micro=True)
        draft.set("CallbackDelivered", False, Reason.RETRYING, error)


def due(draft: Draft) -> datetime | None:
    """When the next try is to be made; None when there is none."""
    state = draft.status.callback
    return parse_time(state.next_attempt_at) if state is not None and state.next_attempt_at else None


def _pause(delivery: Delivery, number: int) -> timedelta:
    """The schedule's pause with up to a tenth of jitter, or what the receiver asked for when that is longer.

    Args:
        number: of the try that has failed, counted from the schedule's beginning.
    """
    jitter = hashlib.sha256(f"{delivery.webhook_id}/{delivery.number}".encode()).digest()[0] / 255 / 10
    return max(SCHEDULE[number] * (1 + jitter), _wished(delivery.retry_after))


def _wished(seconds: float | None) -> timedelta:
    """What the receiver asked for, within reason: no number it can send stops the schedule."""
    if seconds is None or not seconds > 0:  # `not >`: NaN is neither
        return timedelta(0)
    return timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER.total_seconds()))
