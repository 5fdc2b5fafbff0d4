"""What a webhook says: the same bytes on every try, never too many, and only of its own event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_common.times import rfc3339
from mediatask_crds.task import ArtifactStatus, CallbackState, Result, TaskError
from mediatask_operator.deciding.observation import Task
from mediatask_operator.effects.message import BODY_LIMIT, body
from mediatask_operator.effects.post import LONGEST_WAIT_SECONDS, retry_after
from support.taskworld import START, World, a_task

NOW = START


def sign(key: str, at: datetime) -> str:
    return f"https://media.example.com/{key}?at={rfc3339(at)}"


def said(task: Task, event: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(body(task, event, sign))
    return fields


def test_a_start_is_told_in_the_same_bytes_whatever_follows() -> None:
    world = World(task=a_task(callback={"url": "https://example.com", "events": ["started"]}, metadata={"a": 1}))
    world.settle()
    pod = world.start()
    world.settle()
    assert world.phase == "processing"
    first = body(Task.parse(world.task), "task.started", sign)
    world.published = False
    world.end(pod, 30)
    world.settle()
    assert world.phase == "queued"
    again = [body(Task.parse(world.task), "task.started", sign)]
    world.advance(10)
    world.settle()
    pod = world.start()
    world.settle()
    again.append(body(Task.parse(world.task), "task.started", sign))
    world.published = True
    world.end(pod, 0)
    world.settle()
    assert world.phase == "completed"
    again.append(body(Task.parse(world.task), "task.started", sign))
    assert set(again) == {first}
    fields = json.loads(first)
    assert (fields["status"], fields["result"], fields["error"]) == ("processing", None, None)
    assert fields["timestamp"] == world.status["startedAt"]


def a_status(**status: Any) -> Task:
    task = Task.parse(a_task())
    times = {"started_at": "2026-11-21T10:00:01Z", "completed_at": "2026-11-21T10:00:02Z"}
    return Task(**{**vars(task), "status": task.status.model_copy(update={**times, **status})})


@pytest.mark.parametrize("event", ["started", "completed", "failed", "cancelled"])
def test_a_message_speaks_of_its_own_event_only(event: str) -> None:
    task = a_status(result=Result(metadata={"a": 1}), error=TaskError(code="Temporary", message="no"))
    fields = said(task, f"task.{event}")
    assert fields["status"] == {"started": "processing"}.get(event, event)
    assert (fields["result"] is not None) == (event == "completed")
    assert (fields["error"] is not None) == (event == "failed")
    assert fields["timestamp"] == ("2026-11-21T10:00:01Z" if event == "started" else "2026-11-21T10:00:02Z")


def test_media_is_linked_as_of_the_end_of_the_task() -> None:
    artifacts = [
        ArtifactStatus(name=name, key=f"projects/{name}", sha256="a" * 64, bytes=1, content_type="image/png")
        for name in ("first.png", "second.png")
    ]
    task = a_status(result=Result(artifacts=artifacts, media_url="https://old.example.com/"))
    url = said(task, "task.completed")["result"]["media_url"]
    assert url == "https://media.example.com/projects/first.png?at=2026-11-21T10:00:02Z"


def test_media_of_a_redelivery_is_linked_as_of_its_request() -> None:
    artifact = ArtifactStatus(name="a.png", key="projects/a.png", sha256="a" * 64, bytes=1, content_type="image/png")
    state = CallbackState(id="x", event="task.completed", requested_at="2027-01-01T00:00:00Z")
    url = said(a_status(result=Result(artifacts=[artifact]), callback=state), "task.completed")["result"]["media_url"]
    assert url == "https://media.example.com/projects/a.png?at=2027-01-01T00:00:00Z"


def test_a_message_that_would_be_too_large_leaves_the_metadata_out() -> None:
    large = {"a": "x" * BODY_LIMIT}
    task = a_status(result=Result(metadata=large))
    assert len(body(task, "task.completed", sign)) <= BODY_LIMIT
    fields = said(task, "task.completed")
    assert fields["result"] == {"media_url": None, "payload_media_id": None, "metadata": {}}
    user = Task(**{**vars(task), "spec": task.spec.model_copy(update={"metadata": large})})
    assert said(user, "task.started")["metadata"] == {}
    small = a_status(result=Result(metadata={"a": "x" * (BODY_LIMIT // 2)}))
    assert said(small, "task.completed")["result"]["metadata"] == {"a": "x" * (BODY_LIMIT // 2)}


# ---- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=900), usegmt=True), 0.0),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S -0000"), 90.0),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S"), 90.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_WAIT_SECONDS),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Mon, 99 Jan 2026 99:99:99 GMT", None),
        ("Fri, 21 Nov 99999999999999999999 10:00:00 GMT", None),
        ("Fri, 21 Nov 2026 10:00:00 +99999999999999999999", None),
        ("99999999999999999999", LONGEST_WAIT_SECONDS),
        ("9" * 8000, LONGEST_WAIT_SECONDS),
        ("-1", None),
        ("-99999999999999999999", None),
        ("+5", None),
        ("1.5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("١٢٣", None),
        ("²", None),
        ("120, 60", None),
        ("\x00", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_retry_after_is_a_number_within_reason_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("moment", ["Sat, 21 Nov 2026 12:01:00 +0200", "Sat, 21 Nov 2026 10:01:00 -0000"])
def test_retry_after_may_name_a_moment_in_any_zone(moment: str) -> None:
    assert retry_after(moment, NOW) == 60.0


@given(st.text(max_size=60) | st.from_regex(r"\A\w{3}, \d{1,4} \w{3} \d{1,20} \d\d:\d\d:\d\d ?[+-]?\d{0,12}\Z"))
def test_no_retry_after_raises(value: str) -> None:
    found = retry_after(value, datetime(2026, 11, 21, tzinfo=UTC))
    assert found is None or 0 <= found <= LONGEST_WAIT_SECONDS
