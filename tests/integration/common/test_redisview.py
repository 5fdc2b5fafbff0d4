"""The Redis view: never goes back, lists as Kubernetes would, can be rebuilt."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest

from mediatask_common.redisview import RedisView, connect, slim
from mediatask_common.redisview.connection import CONNECTIONS
from mediatask_common.redisview.view import DURATIONS_KEPT
from support.redisserver import redis_server


def task(name: str, rv: int, *, phase: str | None = None, kind: str = "generate_image", day: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "resourceVersion": str(rv),
            "creationTimestamp": f"2026-11-{day:02}T00:00:00Z",
            "managedFields": [{"manager": "x"}],
        },
        "spec": {"projectId": "film", "taskType": kind, "taskData": {"prompt": "secret plot"}},
        **({"status": {"phase": phase}} if phase else {}),
    }


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


@pytest.fixture
async def view(redis_url: str) -> AsyncIterator[RedisView]:
    # A namespace that no other test has written to.
    view = RedisView.open(redis_url, secrets.token_hex(4))
    yield view
    await view.close()


async def names(view: RedisView, **filters: Any) -> list[str]:
    docs, total, _ = await view.list("film", **filters)
    assert total == len(docs)
    return [doc["metadata"]["name"] for doc in docs]


async def test_older_news_never_overwrites_newer(view: RedisView) -> None:
    assert await view.put(task("a", 9, phase="completed"))
    assert not await view.put(task("a", 9, phase="queued"))
    assert not await view.put(task("a", 8, phase="processing"))
    assert not await view.put(task("a", 10**3 - 991, phase="queued")), "compared as numbers: 9 is not over 10"
    [stored] = await view.get_many(["a"])
    assert stored is not None
    assert stored["status"]["phase"] == "completed"
    assert await view.put(task("a", 10, phase="failed"))


async def test_lists_follow_the_phase(view: RedisView) -> None:
    await view.put(task("a", 1, day=1))
    await view.put(task("b", 2, day=2, kind="test_prompt"))
    assert await names(view) == ["b", "a"], "newest first"
    assert await names(view, phase="queued") == ["b", "a"]
    await view.put(task("a", 3, phase="processing", day=1))
    assert await names(view, phase="queued") == ["b"]
    assert await names(view, phase="processing") == ["a"]
    assert await names(view, phase="processing", task_type="test_prompt") == []
    assert await names(view, task_type="test_prompt") == ["b"]


async def test_pages(view: RedisView) -> None:
    for n in range(1, 8):
        await view.put(task(f"t{n}", n, day=n))
    docs, total, _ = await view.list("film", start=2, limit=3)
    assert ([doc["metadata"]["name"] for doc in docs], total) == (["t5", "t4", "t3"], 7)


async def test_a_deleted_task_does_not_come_back_with_late_news(view: RedisView) -> None:
    await view.put(task("a", 5))
    await view.remove(task("a", 7))
    assert not await view.put(task("a", 6, phase="processing"))
    assert await view.get_many(["a"]) == [None]
    assert await names(view) == []
    assert await view.put(task("a", 8)), "a namesake made later is a task of its own"


async def test_a_rebuild_forgets_what_is_gone(view: RedisView) -> None:
    await view.put(task("kept", 1))
    await view.put(task("gone", 2))
    assert await view.forget_all_but({"kept"}) == 1
    assert await names(view) == ["kept"]
    assert await view.get_many(["gone"]) == [None]


async def test_readers_trust_the_view_only_while_it_is_fresh(view: RedisView) -> None:
    assert not await view.fresh()
    await view.renew_freshness()
    assert await view.fresh()
    await view.drop_freshness()
    assert not await view.fresh()


async def test_events_resume_after_an_id(view: RedisView) -> None:
    for n in range(3):
        await view.add_event("a", "progress", {"n": n})
    seen = [event async for event in view.events("a")]
    assert [data["n"] for _, _, data in seen] == [0, 1, 2]
    rest = [data["n"] async for _, _, data in view.events("a", after=seen[0][0])]
    assert rest == [1, 2]


def test_the_view_keeps_no_request_data() -> None:
    assert "secret plot" not in str(slim(task("a", 1)))


def test_what_the_view_keeps_of_a_task_is_bounded() -> None:
    large = task("a", 1)
    large["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 100_000}
    large["spec"]["metadata"] = {"a": "x" * 200_000}
    assert len(str(slim(large))) < 1000
    assert slim({**large, "spec": {**large["spec"], "metadata": {"a": 1}}})["spec"]["metadata"] == {"a": 1}


# ---- durations


def completed(name: str, rv: int, minute: int, seconds: int, kind: str = "generate_image") -> dict[str, Any]:
    done = task(name, rv, phase="completed", kind=kind)
    times = {"startedAt": f"2026-11-01T00:{minute:02}:00Z", "completedAt": f"2026-11-01T00:{minute:02}:{seconds:02}Z"}
    return {**done, "status": {**done["status"], **times}}


async def test_each_run_is_timed_once_newest_first(view: RedisView) -> None:
    assert list(await view.durations("generate_image")) == []
    await view.put(task("a", 1, phase="processing"))
    await view.put(completed("a", 2, minute=1, seconds=7))
    await view.put(completed("a", 3, minute=1, seconds=7))  # the same run: its webhook was delivered
    await view.put(completed("b", 4, minute=2, seconds=9))
    await view.put(completed("c", 5, minute=3, seconds=50, kind="test_prompt"))
    assert list(await view.durations("generate_image")) == [9.0, 7.0]
    assert list(await view.durations("test_prompt")) == [50.0]
    await view.put(task("a", 6, phase="queued"))
    await view.put(completed("a", 7, minute=9, seconds=30))
    assert list(await view.durations("generate_image")) == [30.0, 9.0, 7.0], "a retry is another run"
    await view.remove(task("a", 8))
    await view.put(task("d", 9, phase="failed"))
    await view.put(task("e", 10, phase="completed"))
    assert list(await view.durations("generate_image")) == [30.0, 9.0, 7.0]


async def test_durations_are_bounded(view: RedisView) -> None:
    for number in range(DURATIONS_KEPT + 5):
        await view.put(completed(f"t{number}", number + 1, minute=1, seconds=number % 60))
    kept = await view.durations("generate_image")
    assert len(kept) == DURATIONS_KEPT
    assert kept[0] == (DURATIONS_KEPT + 4) % 60


async def test_the_charged_time_of_runs_is_kept_by_class(view: RedisView) -> None:
    def attempt(start: int, end: int, reason: str) -> dict[str, Any]:
        return {
            "startedAt": f"2026-11-01T00:00:{start:02}Z", "endedAt": f"2026-11-01T00:00:{end:02}Z", "reason": reason
        }  # fmt: skip

    done = completed("a", 2, minute=1, seconds=50)
    done["status"] |= {
        "className": "fast",
        "attempts": [attempt(0, 10, "Preempted"), attempt(10, 14, "GpuFault"), attempt(20, 23, "Succeeded")],
    }
    await view.put(done)
    await view.put({**done, "metadata": {**done["metadata"], "resourceVersion": "3"}})
    assert await view.ran("generate_image", "fast") == (7.0,)
    assert await view.ran("generate_image", "slow") == ()


# ---- connections


async def test_many_calls_at_once_wait_for_one_another(redis_url: str) -> None:
    async with connect(redis_url) as other:
        view = RedisView(other, "default")
        # Four for each place: a call gives up after a second without one, and a busy machine needs its time.
        calls = 4 * CONNECTIONS
        answers = await asyncio.gather(*(view.durations("generate_image") for _ in range(calls)))
        assert answers == [()] * calls
        info = cast("Any", await other.info("clients"))
        assert info["connected_clients"] <= CONNECTIONS + 2, "the pool has a size"
