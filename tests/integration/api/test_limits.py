"""Rate limits: of callers and projects, with and without Redis, over several replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from redis.asyncio import Redis

from support.redisserver import redis_server

from .conftest import PROMPT

MANY = 40


async def until_refused(api: Any) -> tuple[int, httpx.Response]:
    """How many calls are answered, and the first answer that refuses one."""
    calls = 0
    while (answer := await api.get("/task-types")).status_code == 200:
        calls += 1
    return calls, answer


def most(since: float) -> int:
    """Calls that a limit of `MANY` may have allowed until now: on a slow machine places come back meanwhile."""
    return MANY + int((time.monotonic() - since) * MANY / 60) + 1


async def test_a_caller_who_asks_too_often_is_told_when_to_come_back_and_others_are_served(
    open_world: Callable[..., Any],
) -> None:
    async with open_world(requests_per_minute=MANY) as world:
        began = time.monotonic()
        first = await world.api.get("/task-types")
        assert first.headers["RateLimit-Policy"] == f'"caller";q={MANY};w=60'
        assert first.headers["RateLimit"] == f'"caller";r={MANY - 1};t=2'
        answered, refused = await until_refused(world.api)
        assert MANY <= 1 + answered <= most(began)
        assert refused.status_code == 429
        assert refused.json()["type"].endswith("rate-limited")
        assert int(refused.headers["Retry-After"]) in (1, 2)
        assert refused.headers["RateLimit"].startswith('"caller";r=0;t=')
        other = await world.caller("film")
        assert (await other.get("/task-types")).status_code == 200
        assert b'rate_limited_total{limit="caller"} 1.0' in generate_latest(world.services.metrics.registry)


async def test_two_replicas_share_a_limit_through_redis_and_one_that_has_lost_it_counts_alone(
    open_world: Callable[..., Any],
) -> None:
    with redis_server() as server:
        async with (
            open_world(requests_per_minute=MANY, redis_url=server.url) as one,
            open_world(requests_per_minute=MANY, redis_url=server.url) as two,
        ):
            # Their keys have the same name, and so are the same caller.
            began = time.monotonic()
            answered = await asyncio.gather(until_refused(one.api), until_refused(two.api))
            assert MANY <= sum(calls for calls, _ in answered) <= most(began)
            assert [refused.status_code for _, refused in answered] == [429, 429]
            server.stop()
            began = time.monotonic()
            alone, refused = await until_refused(two.api)
            assert (MANY <= alone <= most(began), refused.status_code) == (True, 429)


@pytest.mark.parametrize("odd", ["", "soon", "nan", "-1", "1e300", "9" * 400, b"\xff\x00"])
async def test_what_is_odd_in_redis_neither_stops_a_caller_for_ever_nor_fails_a_request(
    open_world: Callable[..., Any], redis_url: str, odd: Any
) -> None:
    async with open_world(requests_per_minute=MANY, redis_url=redis_url) as world, Redis.from_url(redis_url) as redis:
        await world.api.get("/task-types")
        [key] = [key async for key in redis.scan_iter(f"mt:{{{world.namespace}}}:rate:*")]
        assert 0 < await redis.ttl(key) <= 61
        await redis.set(key, odd)
        answer = await world.api.get("/task-types")
        assert answer.status_code in (200, 429)
        assert int(answer.headers.get("Retry-After", 0)) <= 2
        await redis.delete(key)
        await redis.lpush(key, "a list")
        assert (await world.api.get("/task-types")).status_code == 200
        await redis.delete(key)


async def test_a_project_takes_so_many_tasks_whoever_submits_and_a_batch_counts_for_as_many(
    open_world: Callable[..., Any],
) -> None:
    async with open_world(submits_per_minute=100) as world:
        other = await world.caller("film")
        batch = {"tasks": [PROMPT] * 60}
        assert (await world.api.post("/tasks/batch", json=batch)).status_code == 200
        refused = await other.post("/tasks/batch", json=batch)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:mediatask:problem:rate-limited")
        assert (await other.post("/tasks/submit", json=PROMPT)).headers["RateLimit"].startswith('"caller"')
        elsewhere = PROMPT | {"project_id": "another"}
        assert (await world.api.post("/tasks/submit", json=elsewhere)).status_code == 202


async def test_nobody_uses_up_the_limit_of_a_foreign_project(open_world: Callable[..., Any]) -> None:
    async with open_world(submits_per_minute=100) as world:
        stranger = await world.caller("another")
        for _ in range(2):
            answer = await stranger.post("/tasks/batch", json={"tasks": [PROMPT] * 100})
            assert {result["status"] for result in answer.json()["results"]} == {403}
        assert (await world.api.post("/tasks/submit", json=PROMPT)).status_code == 202


async def test_health_is_never_refused(open_world: Callable[..., Any]) -> None:
    async with open_world(requests_per_minute=1) as world:
        answers = [await world.api.get("/health/live") for _ in range(20)]
        assert [answer.status_code for answer in answers] == [200] * 20
