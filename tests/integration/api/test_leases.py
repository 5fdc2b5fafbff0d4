"""Rate limits that take some requests ahead: as exact as before, with fewer questions to Redis."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from redis.asyncio import Redis

from mediatask_api.limits.bucket import Rate
from mediatask_api.limits.buckets import RedisBuckets
from mediatask_api.limits.leases import LEASE_SECONDS, Leases
from mediatask_common.redisview import connect

RATE = Rate("caller", 2400)
"""40 come back each second; 20 at most are taken ahead."""


async def questions(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name == "cmdstat_eval")


async def test_replicas_together_let_through_just_the_limit_and_ask_redis_seldom_while_much_is_left(
    redis_url: str,
) -> None:
    # No lease ends by time, however slow the machine is.
    replicas = [Leases(RedisBuckets(connect(redis_url), "leases"), clock=lambda: 0.0) for _ in range(2)]
    async with Redis.from_url(redis_url) as redis:
        before, began = await questions(redis), time.monotonic()
        first = [await replicas[number % 2].take(RATE, "who", 1) for number in range(1000)]
        assert all(verdict.allowed for verdict in first)
        assert await questions(redis) - before < 300
        let_through = len(first)
        before = await questions(redis)
        for _ in range(100):
            await asyncio.gather(*(replicas[0].take(RATE, "others", 1) for _ in range(8)))
        assert await questions(redis) - before < 400
        while (await replicas[let_through % 2].take(RATE, "who", 1)).allowed:
            let_through += 1
        came_back = (time.monotonic() - began) / RATE.interval
        # Two leases may have ended unused.
        assert RATE.quota - 40 <= let_through <= RATE.quota + came_back + 1
        # Near the limit each request is asked for.
        before = await questions(redis)
        for _ in range(50):
            await replicas[0].take(RATE, "who", 1)
        assert await questions(redis) - before == 50
    for each in replicas:
        await each.close()


async def test_who_asks_while_more_is_taken_ahead_waits_for_that_and_asks_nothing(redis_url: str) -> None:
    leases = Leases(RedisBuckets(connect(redis_url), "together"), clock=lambda: 0.0)
    rate = Rate("caller", 60_000)

    async def together() -> None:
        await asyncio.gather(*(leases.take(rate, "who", 1) for _ in range(32)))

    for _ in range(20):
        await together()
    async with Redis.from_url(redis_url) as redis:
        before = await questions(redis)
        for _ in range(20):
            await together()
        # 64 are taken ahead by each, so that every second time one asks for all.
        assert await questions(redis) - before <= 11
    await leases.close()


async def test_what_is_left_falls_by_one_with_each_request(redis_url: str) -> None:
    now = 0.0
    leases = Leases(RedisBuckets(connect(redis_url), "falling"), clock=lambda: now)
    left = [(await leases.take(Rate("caller", 60_000), "who", 1)).remaining for _ in range(200)]
    # As many as have come back meanwhile may have joined them when Redis was asked.
    assert all(later >= earlier - 1 for earlier, later in pairwise(left) if later < earlier)
    assert left[-1] < left[0]
    await leases.close()


async def test_who_asks_seldom_has_nothing_taken_ahead(redis_url: str) -> None:
    now = 0.0
    leases = Leases(RedisBuckets(connect(redis_url), "seldom"), clock=lambda: now)
    async with Redis.from_url(redis_url) as redis:
        before = await questions(redis)
        for _ in range(20):
            await leases.take(RATE, "who", 1)
            now += LEASE_SECONDS
        assert await questions(redis) - before == 20
    await leases.close()
