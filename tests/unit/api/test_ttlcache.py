"""Answers kept for a moment: one call for all who ask meanwhile, however long it takes."""

from __future__ import annotations

import asyncio

from mediatask_api.ttlcache import TtlCache


async def test_a_call_that_takes_longer_than_its_answer_is_kept_is_still_shared() -> None:
    cache, gate, calls = TtlCache[int](0.0), asyncio.Event(), 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        await gate.wait()
        return calls

    callers = [asyncio.create_task(cache.get("k", call)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*callers) == [1, 1, 1]
    assert await cache.get("k", call) == 2, "its time was over as soon as it was there"
