"""The view in Redis: written behind the resource, rebuilt after a loss, never called current before it is."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediatask_common.redisview import RedisView, connect
from mediatask_operator.acting import redis_writer
from mediatask_operator.acting.redis_writer import RedisWriter
from mediatask_operator.objects import Object
from mediatask_operator.watching.cache import Cache
from support.jobs import eventually
from support.redisserver import RunningRedis, redis_server
from support.taskworld import a_task

KEY = ("default", "scene-1")


def named(name: str) -> Object:
    task = copy.deepcopy(a_task(taskData={"prompt": "x"}))
    task["metadata"] |= {"name": name, "uid": f"uid-{name}"}
    return task


def at(task: Object, version: str, **status: object) -> Object:
    return {**task, "metadata": {**task["metadata"], "resourceVersion": version}, "status": status}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningRedis]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def writing(cache: Cache, server: RunningRedis) -> AsyncIterator[tuple[RedisWriter, RedisView]]:
    """A writer at work on an empty Redis, and a reader with connections of its own, as the API has."""
    await empty(server)
    async with connect(server.url) as own, connect(server.url) as others:
        writer = RedisWriter(own, cache, ["default"])
        work = asyncio.create_task(writer.run())
        try:
            yield writer, RedisView(others, "default")
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def empty(server: RunningRedis) -> None:
    async with connect(server.url) as redis:
        await redis.flushall()


async def kept(reader: RedisView) -> Object | None:
    """What the view has of the task of `KEY`."""
    [found] = await reader.get_many([KEY[1]])
    return found


async def test_everything_is_there_before_the_view_is_called_current(server: RunningRedis) -> None:
    cache = Cache()
    for index in range(250):
        cache.put_task(named(f"task-{index}"))
    async with writing(cache, server) as (_, reader):
        await eventually(reader.fresh, bool)
        _, total, _ = await reader.list("p1")
    assert total == 250


async def test_news_follow_the_resource(server: RunningRedis) -> None:
    cache = Cache()
    async with writing(cache, server) as (writer, reader):
        await eventually(reader.fresh, bool)
        cache.put_task(at(a_task(), "2", phase="completed"))
        writer.mark(KEY)
        writer.tell(KEY, "completed", {"status": "completed"})
        found = await eventually(lambda: kept(reader), bool)
        assert found["status"]["phase"] == "completed"
        events = await eventually(lambda: _events(reader), bool)
        assert [kind for _, kind, _ in events] == ["completed"]
        gone = at(a_task(), "3")
        cache.drop_task(gone)
        writer.remove(KEY, gone)
        await eventually(lambda: kept(reader), lambda task: task is None)


async def test_a_redis_that_was_away_is_rebuilt_before_it_is_trusted(server: RunningRedis) -> None:
    cache = Cache()
    cache.put_task(a_task())
    with capture_logs() as logs:
        async with writing(cache, server) as (writer, reader):
            await eventually(reader.fresh, bool)
            server.stop(losing_its_data=True)
            cache.put_task(at(a_task(), "5", phase="failed"))
            writer.mark(KEY)
            await _logged(logs, "redis is away, the view waits")
            server.start()
            await _logged(logs, "view rebuilt", times=2)
            found = await eventually(lambda: kept(reader), bool)
            assert found["status"]["phase"] == "failed"
            await eventually(reader.fresh, bool)


async def test_a_redis_that_was_emptied_is_noticed(server: RunningRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_writer, "RENEW_SECONDS", 0)
    cache = Cache()
    cache.put_task(a_task())
    async with writing(cache, server) as (_, reader):
        await eventually(reader.fresh, bool)
        # Whenever it happens, also between two commands of the writer.
        for _ in range(20):
            await empty(server)
            await eventually(lambda: kept(reader), bool)


async def _events(reader: RedisView) -> list[tuple[str, str, dict[str, object]]]:
    return [event async for event in reader.events("scene-1")]


async def _logged(logs: list[MutableMapping[str, Any]], event: str, times: int = 1) -> None:
    async def count() -> int:
        return sum(entry["event"] == event for entry in logs)

    await eventually(count, lambda seen: seen >= times)
