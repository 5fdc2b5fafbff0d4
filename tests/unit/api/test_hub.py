"""What the hub passes on, and what it keeps for project streams that go on after a lost connection."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_api.events.event import from_stream, report
from mediatask_api.events.hub import Hub
from mediatask_api.events.subscription import MOST_BYTES, MOST_WAITING

Object = dict[str, Any]


def task(version: int, **status: Any) -> Object:
    return {
        "metadata": {
            "name": "t",
            "namespace": "n",
            "uid": "0a4e4c6e-6c55-4a6c-9a53-6f9a8d4f1a11",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-21T10:00:00Z",
        },
        "spec": {"projectId": "film", "taskType": "test_prompt", "taskData": {}},
        "status": status,
    }


def reported(hub: Hub, progress: float, sequence: int, **more: Any) -> None:
    kind = "preview" if "image" in more else "progress"
    data = report(task(0), 1, progress, "draw", sequence, at="2026-11-21T10:00:01Z", **more)
    event = from_stream("t", kind, data)
    assert event is not None
    hub.report(event, kept=hub.by_redis)


@pytest.mark.parametrize("by_redis", [True, False], ids=["redis", "no redis"])
@pytest.mark.parametrize("first", ["the resource", "the job"])
def test_who_comes_again_finds_every_change_of_state(by_redis: bool, first: str) -> None:
    """Whichever of two tells first that a task has started, and whether reports come from Redis."""
    hub = Hub(lambda key: key, by_redis=by_redis)
    hub.begin([], 100)
    with hub.subscribe("film") as live:
        hub.see(task(101, phase="queued"), new=True)
        if first == "the job":
            reported(hub, 0.1, 1)
        hub.see(task(105, phase="processing", attempt=1, progress=0.0))
        reported(hub, 0.2, 2)
        hub.see(task(107, phase="processing", attempt=1, progress=0.2))
        hub.see(task(109, phase="completed", attempt=1))
        hub.version = 109
        changes = [event for event in live._waiting if event.kind != "progress"]
    assert [event.kind for event in changes if event.version] == ["queued", "started", "completed"]
    assert list(dict.fromkeys(event.kind for event in changes)) == ["queued", "started", "completed"]
    kept = hub.kept_after("film", 100)
    assert kept is not None
    assert [(event.kind, event.version) for event in kept] == [("queued", 101), ("started", 105), ("completed", 109)]
    again = hub.kept_after("film", 101)
    assert again is not None
    assert [event.kind for event in again] == ["started", "completed"]


def test_who_comes_between_the_report_and_the_resource_hears_of_the_start() -> None:
    hub = Hub(lambda key: key, by_redis=True)
    hub.begin([], 100)
    hub.see(task(101, phase="queued"), new=True)
    reported(hub, 0.1, 1)
    hub.version = 101
    with hub.subscribe("film") as late:
        assert hub.kept_after("film", 101) == []
        hub.see(task(105, phase="processing", attempt=1, progress=0.0))
        hub.see(task(109, phase="completed", attempt=1))
        assert [(event.kind, event.version) for event in late._waiting] == [("started", 105), ("completed", 109)]


@pytest.mark.parametrize(("size", "most"), [(10, MOST_WAITING), (40_000, MOST_BYTES // 40_000)])
def test_a_reader_who_is_too_far_behind_is_cut_off_and_keeps_nothing_waiting(size: int, most: int) -> None:
    hub = Hub(lambda key: key)
    hub.begin([task(101, phase="processing", attempt=1)], 101)
    with hub.subscribe("film", "t", previews=True) as slow, hub.subscribe("film", "t") as without:
        count = 0
        while slow.closed is None:
            count += 1
            reported(hub, 0.5, count, image="x" * size)
        assert most - 2 <= count <= most + 1
        assert (slow.closed, len(slow._waiting)) == ("slow_reader", 0)
        assert (without.closed, len(without._waiting)) == (None, 0)


def test_a_version_says_whether_more_has_been_passed_on() -> None:
    hub = Hub(lambda key: key)
    hub.begin([task(101, phase="queued")], 101)
    assert not hub.has_newer(task(101)), "who has this version has missed nothing"
    assert not hub.has_newer(task(102)), "the hub may be behind"
    hub.see(task(105, phase="processing", attempt=1))
    assert hub.has_newer(task(104))
    hub.see(task(107, phase="processing", attempt=1))  # nothing that anybody is told
    assert hub.has_newer(task(106))
    another = task(107)
    another["metadata"]["uid"] = "another-of-this-name"
    assert hub.has_newer(another)
    hub.see(task(109, phase="completed", attempt=1))
    assert hub.has_newer(task(108)), "the end has been told"
