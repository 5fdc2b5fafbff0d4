"""What Redis holds that no writer wrote, and many callers at once: requests are answered all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from mediatask_api.tasks.reading.redis_reader import RedisReader
from mediatask_common.redisview import RedisView

from .conftest import PROMPT, World


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


def document(content: bytes) -> Callable[[Redis, str, str], Awaitable[Any]]:
    async def put(redis: Redis, prefix: str, task_id: str) -> None:
        await redis.hset(f"{prefix}:task:{task_id}", "doc", content)  # type: ignore[misc]

    return put


def text_under(key: str) -> Callable[[Redis, str, str], Awaitable[Any]]:
    async def put(redis: Redis, prefix: str, task_id: str) -> None:
        await redis.set(f"{prefix}:{key.format(task_id)}", "text")

    return put


async def no_number(redis: Redis, prefix: str, task_id: str) -> None:
    await redis.rpush(f"{prefix}:durations:test_prompt", "soon")  # type: ignore[misc]


ODD = {
    "no JSON": document(b'{"metadata":'),
    "no text": document(b"\xff\xfe"),
    "a list": document(b"[]"),
    "an empty object": document(b"{}"),
    "no spec": document(b'{"metadata": {"name": "x"}, "spec": null}'),
    "much too large": document(b'{"metadata": "' + b"x" * 500_000 + b'"}'),
    "a text as task": text_under("task:{}"),
    "a text as index": text_under("idx:film"),
    "a text as backlog": text_under("backlog:test_prompt:5"),
    "a text as durations": text_under("durations:test_prompt"),
    "a duration that is no number": no_number,
}


@pytest.mark.parametrize("odd", ODD)
async def test_one_odd_value_stops_no_request(
    open_world: Callable[..., Any], redis_url: str, redis: Redis, view: RedisView, odd: str
) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        task_id, sound = await world.submit(), await world.submit()
        await world.set_status(task_id, phase="processing", attempt=1)
        token = await world.token(await world.pod(task_id))
        # Redis alone says so: whoever reads it there sees that Redis is still being asked.
        known = await world.task(sound)
        known["metadata"]["resourceVersion"] = str(int(known["metadata"]["resourceVersion"]) + 10**6)
        await view.put({**known, "status": {"phase": "processing", "progress": 0.123}})
        prefix = f"mt:{{{world.namespace}}}"
        await ODD[odd](redis, prefix, task_id)
        for _ in range(4):
            assert (await world.api.get(f"/tasks/{task_id}/status")).status_code == 200
            listed = await world.api.get("/projects/film/tasks")
            assert task_id in {task["task_id"] for task in listed.json()["tasks"]}
            assert (await world.api.get("/stats")).status_code == 200
            assert (await world.api.post("/tasks/submit", json=PROMPT)).status_code == 202
            report = await world.report(token, task_id, "progress", attempt=1, progress=0.5, step="x")
            assert report.status_code == 200
        assert (await world.api.get(f"/tasks/{sound}/status")).json()["progress"] == 0.123, "Redis is asked as before"


async def test_however_often_an_odd_task_is_asked_for_redis_stays_in_use(
    open_world: Callable[..., Any], redis_url: str, redis: Redis, view: RedisView
) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        odd, sound = await world.submit(), await world.submit()
        known = await world.task(sound)
        known["metadata"]["resourceVersion"] = str(int(known["metadata"]["resourceVersion"]) + 10**6)
        await view.put({**known, "status": {"phase": "processing", "progress": 0.123}})
        await document(b"{")(redis, f"mt:{{{world.namespace}}}", odd)
        answers = await asyncio.gather(*(world.api.get(f"/tasks/{odd}/status") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert (await world.api.get(f"/tasks/{sound}/status")).json()["progress"] == 0.123


async def test_many_callers_at_once_are_all_answered(
    open_world: Callable[..., Any], redis_url: str, view: RedisView
) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        task_id = await world.submit()
        paths = [f"/tasks/{task_id}/status", "/projects/film/tasks"] * 75
        answers = await asyncio.gather(*(world.api.get(path) for path in paths))
        assert {answer.status_code for answer in answers} == {200}


async def test_a_list_shows_what_its_caller_has_just_made_while_others_list(world: World) -> None:
    async def make_and_look() -> None:
        task_id = await world.submit()
        listed = (await world.api.get("/projects/film/tasks", params={"limit": 100})).json()
        assert task_id in {task["task_id"] for task in listed["tasks"]}

    await asyncio.gather(*(make_and_look() for _ in range(20)))


async def test_one_of_many_callers_asks_whether_the_view_is_current(redis: Redis, view: RedisView) -> None:
    async def asked() -> int:
        stats = await redis.info("commandstats")
        return int(stats.get("cmdstat_exists", {}).get("calls", 0))

    reader, before = RedisReader(view), await asked()
    await asyncio.gather(*(reader.ask(lambda view: view.get_many(["none"])) for _ in range(32)))
    assert await asked() - before == 1
