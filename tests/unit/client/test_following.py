"""How tasks are followed: what an event tells, what has to be asked for, and when a stream is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_client.errors import NotFound, Unavailable, WaitTimeout
from mediatask_client.following import LAST_SECONDS, LONGEST_PAUSE, LOOK_SECONDS, SILENCE, SLOWEST, Following
from mediatask_client.models import Task
from mediatask_client.rest.events import Event, Sign


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def task(status: str = "processing", **fields: Any) -> Task:
    return Task(**{"task_id": "a", "project_id": "film", "status": status, "attempt": 1, **fields})


def event(kind: str = "progress", status: str | None = "processing", **fields: Any) -> Event:
    return Event(**{"kind": kind, "task_id": "a", "status": status, "attempt": 1, **fields})


@pytest.fixture
def clock() -> Clock:
    return Clock()


def following(clock: Clock, *tasks: Task, timeout: float | None = None) -> Following:
    followed = Following([task.task_id for task in tasks], timeout, clock)
    for each in tasks:
        assert followed.learn(each.task_id, each)
    return followed


def test_one_task_has_a_stream_and_several_of_a_project_share_its() -> None:
    one = following(Clock(), task())
    assert one.stream() == "/api/v1/tasks/a/events"
    two = following(Clock(), task(), task(task_id="b"))
    assert two.stream() == "/api/v1/projects/film/events"
    two.learn("b", task("completed", task_id="b"))
    assert two.stream() == "/api/v1/tasks/a/events"
    assert following(Clock(), task(), task(task_id="b", project_id="other")).stream() is None


def test_progress_is_told_by_events_and_never_falls(clock: Clock) -> None:
    followed = following(clock, task(progress=0.2, created_at="2026-01-01T00:00:00Z"))
    told = event(progress=0.5, current_step="denoising")
    assert followed.to_ask(told) == []
    state = followed.progress(told)
    assert state is not None
    assert (state.progress, state.current_step, state.created_at is not None) == (0.5, "denoising", True)
    assert followed.progress(told) is None, "nothing new"
    assert followed.progress(event(progress=0.4)) is None
    assert followed.progress(event(progress=0.6, task_id="z")) is None, "a neighbour's"


@pytest.mark.parametrize(
    "told",
    [
        event("started", attempt=2),
        event("queued", "queued", attempt=2),
        event("completed", "completed"),
        event("progress", attempt=2, progress=0.1),
    ],
    ids=lambda told: f"{told.kind} {told.attempt}",
)
def test_another_attempt_or_status_is_asked_for(clock: Clock, told: Event) -> None:
    followed = following(clock, task(progress=0.2))
    assert followed.to_ask(told) == ["a"]
    assert followed.progress(told) is None


def test_lines_of_a_log_and_tasks_that_have_ended_are_not_asked_for(clock: Clock) -> None:
    assert following(clock, task()).to_ask(event("log", None, line="x")) == []
    assert following(clock, task("completed")).to_ask(event("failed", "failed")) == []


def test_what_a_projects_stream_does_not_tell_is_asked_for(clock: Clock) -> None:
    followed = following(clock, task(), task("queued", task_id="b"))
    assert followed.to_ask(Sign.OPENED) == ["a", "b"], "they may have ended before it began"
    assert following(clock, task()).to_ask(Sign.OPENED) == [], "a task's own stream begins with its state"


def test_all_are_asked_for_now_and_then(clock: Clock) -> None:
    """The queue moves on without an event, and an event may have been lost."""
    followed = following(clock, task(), task("queued", task_id="b"))
    followed.to_ask(Sign.OPENED)
    assert followed.to_ask(Sign.ALIVE) == []
    clock.now += LOOK_SECONDS
    assert followed.to_ask(Sign.ALIVE) == ["a", "b"]
    assert followed.to_ask(Sign.ALIVE) == []


def test_an_answer_that_is_behind_the_events_ends_the_stream(clock: Clock) -> None:
    followed = following(clock, task(), task(task_id="b"))
    followed.to_ask(Sign.OPENED)
    assert followed.to_ask(event("completed", "completed")) == ["a"]
    followed.learn("a", task(progress=0.9))
    assert followed.leave
    assert followed.stream() is None, "no event tells of this end again"
    followed.learn("a", task("completed"))
    assert not followed.leave
    assert followed.stream() is not None


def test_a_task_that_was_retried_meanwhile_is_followed_on(clock: Clock) -> None:
    followed = following(clock, task())
    followed.to_ask(event("failed", "failed"))
    followed.learn("a", task("queued", attempt=2))
    assert not followed.leave


def test_a_service_without_events_is_not_asked_for_them_again(clock: Clock) -> None:
    followed = following(clock, task())
    followed.lost(NotFound(404, {}, "no route"))
    clock.now += 1e9
    assert followed.stream() is None


def test_a_stream_that_breaks_is_tried_again_after_longer_and_longer(clock: Clock) -> None:
    followed, pauses = following(clock, task()), []
    for _ in range(9):
        followed.lost(Unavailable("busy"))
        before = clock.now
        while followed.stream() is None:
            clock.now += 1
        pauses.append(clock.now - before)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5, LONGEST_PAUSE)
    followed.to_ask(Sign.ALIVE)
    followed.lost(None)
    assert followed.stream() is not None, "one that has told something is made again at once"
    followed.lost(None)
    assert followed.stream() is None, "but not one that tells nothing"


def test_pauses_grow_while_nothing_changes(clock: Clock) -> None:
    followed = following(clock, task())
    pauses = [followed.pause() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == SLOWEST
    followed.learn("a", task(progress=0.9))
    assert followed.pause() == pauses[0]


def test_time_is_up_on_time(clock: Clock) -> None:
    followed = following(clock, task(), timeout=60)
    assert followed.stream() is not None
    assert followed.longest_silence == SILENCE
    clock.now += 60 - LAST_SECONDS + 1
    assert followed.stream() is None, "a heartbeat may be further away than the end"
    assert followed.longest_silence == LAST_SECONDS - 1
    clock.now = 159.9
    assert followed.pause() == pytest.approx(0.1)
    clock.now = 160
    with pytest.raises(WaitTimeout, match="a not finished after 60 s") as raised:
        followed.pause()
    assert raised.value.task_ids == ["a"]
