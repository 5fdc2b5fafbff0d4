"""Conditions by the Kubernetes conventions, and patches that say just what has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mediatask_crds.task import MediaTaskStatus
from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import Task
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.status import Draft, merge_patch
from support.taskworld import START, a_task, merge

LEAVES = st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(LEAVES, inner), max_size=3),
    max_leaves=8,
)


@given(old=OBJECTS, new=OBJECTS)
def test_a_patch_turns_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge(old, merge_patch(old, new)) == new


@given(obj=OBJECTS)
def test_nothing_new_is_an_empty_patch(obj: dict[str, Any]) -> None:
    assert merge_patch(obj, obj) == {}


def test_the_transition_time_moves_only_when_the_status_flips() -> None:
    draft = Draft(Task.parse(a_task()), START)
    draft.set("Running", False, "PodPending")
    draft.now += timedelta(seconds=10)
    draft.set("Running", False, "PodStarting", "pulling the image")
    running = draft.condition("Running")
    assert running is not None
    assert (running.reason, running.last_transition_time) == ("PodStarting", "2026-11-21T10:00:00Z")
    draft.set("Running", True, "Running")
    running = draft.condition("Running")
    assert running is not None
    assert running.last_transition_time == "2026-11-21T10:00:10Z"
    assert running.observed_generation == 1


def test_kstatus_sees_an_end_as_settled() -> None:
    draft = Draft(Task.parse(a_task()), START)
    draft.waiting(Reason.QUEUED)
    assert draft.holds("Reconciling")
    draft.cancelled()
    assert not draft.holds("Reconciling")
    assert draft.condition("Stalled") is None
    assert draft.phase == "cancelled"


def test_the_oldest_attempts_go_when_there_are_more_than_the_resource_may_hold() -> None:
    draft = Draft(Task.parse(a_task()), START)
    for number in range(1, 70):
        draft.begin_attempt(number, f"job-{number}", "image")
        draft.end_attempt(Ended(Reason.PREEMPTED, ""))
    assert [attempt.number for attempt in draft.status.attempts] == list(range(6, 70))
    MediaTaskStatus.model_validate(merge({}, draft.patch()))
