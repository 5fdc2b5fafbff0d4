"""The webhook's state: begun with the phase, tried by the schedule, kept in the status."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from mediatask_operator.deciding import callback
from mediatask_operator.deciding.observation import Delivery, Task
from mediatask_operator.deciding.status import Draft
from support.taskworld import START, UID, a_task


def a_draft(**given: object) -> Draft:
    draft = Draft(Task.parse(a_task(callback={"url": "https://example.com/hook", **given})), START)
    draft.fail("InvalidInput", "no", retryable=False)
    callback.announce(draft)
    return draft


def tried(draft: Draft, number: int, **outcome: object) -> None:
    state = draft.status.callback
    assert state is not None
    callback.record(draft, Delivery(state.id, number, **{"ok": False, "error": "boom", **outcome}))  # type: ignore[arg-type]


def test_the_first_try_is_due_at_once() -> None:
    draft = a_draft()
    assert callback.due(draft) == START
    assert draft.status.callback is not None
    assert draft.status.callback.event == "task.failed"
    condition = draft.condition("CallbackDelivered")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "Pending")


def test_events_that_nobody_asked_for_are_not_told() -> None:
    draft = a_draft(events=["completed"])
    assert draft.status.callback is None


@pytest.mark.parametrize("started_at", [None, "2026-11-21T10:00:05Z"])
def test_a_start_is_told_once_its_time_is_known(started_at: str | None) -> None:
    """A pod that ended unseen, while the store is away: each try has to say the same."""
    draft = Draft(Task.parse(a_task(callback={"url": "https://example.com/hook", "events": ["started"]})), START)
    draft.begin_attempt(1, "job", "image")
    draft.set("Running", True, "Running", "")
    draft.status.started_at = started_at
    callback.announce(draft)
    assert (draft.status.callback is not None) == (started_at is not None)


def test_the_schedule_lasts_about_75_hours_and_ends() -> None:
    draft = a_draft()
    number = 0
    while (when := callback.due(draft)) is not None:
        draft.now = when
        number += 1
        tried(draft, number, status_code=500)
    assert number == 10
    assert timedelta(hours=75) <= draft.now - START <= timedelta(hours=85)
    condition = draft.condition("CallbackDelivered")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "Exhausted")


def test_a_delivery_ends_it() -> None:
    draft = a_draft()
    tried(draft, 1, ok=True, status_code=204, error="")
    assert draft.holds("CallbackDelivered")
    assert callback.due(draft) is None
    assert draft.status.callback is not None
    assert draft.status.callback.last_error is None


def test_410_ends_it() -> None:
    draft = a_draft()
    tried(draft, 1, status_code=410, permanent=True)
    condition = draft.condition("CallbackDelivered")
    assert condition is not None
    assert condition.reason == "ReceiverGone"
    assert callback.due(draft) is None


def test_retry_after_is_honoured_within_reason() -> None:
    draft = a_draft()
    tried(draft, 1, status_code=429, retry_after=120.0)
    assert callback.due(draft) == START + timedelta(seconds=120)
    patient = a_draft()
    tried(patient, 1, status_code=503, retry_after=10.0**9)
    assert callback.due(patient) == START + timedelta(hours=24)


def test_an_outcome_is_taken_once() -> None:
    draft = a_draft()
    tried(draft, 1)
    before = draft.status.model_copy(deep=True)
    draft.now += timedelta(seconds=1)
    tried(draft, 1)
    assert draft.status == before


def test_the_id_is_the_same_for_ever_and_another_for_another_round() -> None:
    draft = a_draft()
    assert draft.status.callback is not None
    assert draft.status.callback.id == callback.webhook_id(UID, "failed", 0)
    assert callback.webhook_id(UID, "failed", 1) != callback.webhook_id(UID, "failed", 0)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (10.0**20, callback.LONGEST_RETRY_AFTER),
        (math.inf, callback.LONGEST_RETRY_AFTER),
        (1.7976931348623157e308, callback.LONGEST_RETRY_AFTER),
        (math.nan, None),
        (-1.0, None),
        (-math.inf, None),
        (0.0, None),
    ],
)
def test_no_retry_after_stops_the_schedule(asked: float, pause: timedelta | None) -> None:
    """None: what the schedule says by itself."""
    draft, usual = a_draft(), a_draft()
    tried(draft, 1, status_code=503, retry_after=asked)
    tried(usual, 1, status_code=503)
    assert callback.due(draft) == (callback.due(usual) if pause is None else START + pause)


def test_tries_are_spread_so_that_a_receiver_is_not_called_by_everyone_at_once() -> None:
    pauses = set()
    for number in range(50):
        draft = a_draft()
        assert draft.status.callback is not None
        draft.status.callback.id = f"webhook-{number}"
        tried(draft, 2)
        when = callback.due(draft)
        assert when is not None
        pauses.add(when - START)
    assert callback.SCHEDULE[2] <= min(pauses)
    assert max(pauses) <= callback.SCHEDULE[2] * 1.1
    assert len(pauses) > 25
    assert max(pauses) - min(pauses) > callback.SCHEDULE[2] * 0.05


@pytest.mark.parametrize("outcome", [{}, {"permanent": True}, {"permanent": True, "status_code": 410}])
@pytest.mark.parametrize("number", [1, 10])
def test_a_long_error_is_cut_wherever_it_is_told(outcome: dict[str, object], number: int) -> None:
    draft = a_draft()
    tried(draft, number, error="x" * 100_000, **outcome)
    state, condition = draft.status.callback, draft.condition("CallbackDelivered")
    assert state is not None
    assert condition is not None
    assert state.last_error == condition.message == "x" * 1000


def test_the_outcome_of_another_webhook_is_not_taken() -> None:
    draft = a_draft()
    before = draft.status.model_copy(deep=True)
    callback.record(draft, Delivery("another", 1, ok=True))
    assert draft.status == before


def test_a_webhook_that_has_begun_does_not_begin_again() -> None:
    draft = a_draft()
    tried(draft, 1)
    before = draft.status.model_copy(deep=True)
    callback.announce(draft)
    assert draft.status == before


# ---- delivery asked for anew


def asked_again(draft: Draft, request: int) -> None:
    draft.task.spec.redeliver_request = request
    callback.redeliver(draft)


def test_redelivery_begins_the_schedule_anew_under_the_same_id() -> None:
    draft = a_draft()
    state = draft.status.callback
    assert state is not None
    first_id = state.id
    tried(draft, 1, ok=True, status_code=204, error="")
    draft.now += timedelta(days=30)
    asked_again(draft, 1)
    assert (callback.due(draft), state.id, state.delivered_at) == (draft.now, first_id, None)
    assert state.requested_at == "2026-12-21T10:00:00Z"
    assert not draft.holds("CallbackDelivered")
    number = 1
    while (when := callback.due(draft)) is not None:
        draft.now = when
        number += 1
        tried(draft, number, status_code=500)
        callback.redeliver(draft)  # what was asked for is asked for once
    assert number == 11, "a whole schedule"
    assert [entry.number for entry in state.log] == list(range(1, 12))
    assert (state.log[0].status_code, state.log[0].error) == (204, None)
    assert (state.log[-1].status_code, state.log[-1].error) == (500, "boom")


def test_the_log_is_bounded() -> None:
    draft = a_draft()
    state = draft.status.callback
    assert state is not None
    for number in range(1, 60):
        asked_again(draft, number)
        tried(draft, number, error="x" * 1000)
    assert [entry.number for entry in state.log] == list(range(40, 60))
    assert max(len(entry.error or "") for entry in state.log) == 256


def test_redelivery_of_what_has_not_been_sent_yet_is_no_second_webhook() -> None:
    draft = Draft(Task.parse(a_task(callback={"url": "https://example.com/hook"}, redeliverRequest=3)), START)
    callback.redeliver(draft)
    assert draft.status.callback is None
    draft.fail("InvalidInput", "no", retryable=False)
    callback.announce(draft)
    tried(draft, 1, ok=True, error="")
    callback.redeliver(draft)
    assert callback.due(draft) is None


def test_redelivery_while_a_try_is_under_way_makes_no_second_one() -> None:
    draft = a_draft()
    state = draft.status.callback
    assert state is not None
    asked_again(draft, 1)
    assert state.attempts + 1 == 1, "the same number: the try that runs already"
    tried(draft, 1, ok=True, error="")
    assert draft.holds("CallbackDelivered")
