"""Positions of events: in the order of a task's life, whoever finds them."""

from __future__ import annotations

import itertools

import pytest

from mediatask_common.eventpositions import PROGRESS, STARTED, Position, attempt_open, of_phase, parse_event_id
from mediatask_crds.task import Phase

UID = "0a4e4c6e-6c55-4a6c-9a53-6f9a8d4f1a11"


def test_a_task_that_is_retried_by_itself_and_by_its_user_only_moves_on() -> None:
    life = [
        of_phase(Phase.QUEUED, 0, 0),
        of_phase(Phase.PROCESSING, 0, 1, attempt_open=True),
        of_phase(Phase.PROCESSING, 0, 1, attempt_open=True, progress=0.3),
        Position(0, 1, PROGRESS, 400, 17),
        of_phase(Phase.QUEUED, 0, 1),
        of_phase(Phase.PROCESSING, 0, 2, attempt_open=True),
        of_phase(Phase.FAILED, 0, 2),
        of_phase(Phase.QUEUED, 1, 2),
        of_phase(Phase.PROCESSING, 1, 3, attempt_open=True),
        of_phase(Phase.COMPLETED, 1, 3),
    ]
    for before, after in itertools.pairwise(life):
        assert after.follows(before)
        assert not before.follows(after)
        assert not before.follows(before)


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_queued_task_that_is_cancelled_has_ended_after_it_was_queued(attempt: int) -> None:
    assert of_phase(Phase.CANCELLED, 0, attempt).follows(of_phase(Phase.QUEUED, 0, attempt))


def test_a_pod_that_is_pending_makes_no_second_event_of_queued() -> None:
    assert of_phase(Phase.QUEUED, 0, 0) == of_phase(Phase.QUEUED, 0, 1, attempt_open=True)


def test_at_equal_progress_only_reports_are_told_apart() -> None:
    first, second, stored = (Position(0, 1, PROGRESS, 450, sequence) for sequence in (17, 18, 0))
    assert second.follows(first)
    assert not first.follows(second)
    assert not stored.follows(first), "the resource has nothing to add to a report"
    assert not first.follows(stored), "nor a report to what the resource has told"
    assert Position(0, 1, PROGRESS, 451).follows(second)


def test_ids_are_read_back_for_the_same_task_alone() -> None:
    position = Position(1, 3, PROGRESS, 450, 1795256130123)
    assert parse_event_id(position.event_id(UID), UID) == position
    assert parse_event_id(position.event_id(UID), "1" + UID[1:]) is None
    for odd in (
        "",
        "x",
        "0a4e4c6e.1.2.3",
        "0a4e4c6e.0.1.9.0.0",
        "0a4e4c6e.0.1.2.450." + "9" * 40,
        "0a4e4c6e.٠.1.2.4.1",
    ):
        assert parse_event_id(odd, UID) is None


def test_the_last_attempt_says_whether_one_is_open() -> None:
    assert not attempt_open({})
    assert attempt_open({"attempts": [{"endedAt": "x"}, {}]})
    assert not attempt_open({"attempts": [{}, {"endedAt": "x"}]})
    assert of_phase(Phase.PROCESSING, 0, 1).rank == STARTED
