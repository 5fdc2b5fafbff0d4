"""Calls shared by whoever asks at the same time."""

from __future__ import annotations

import asyncio

import pytest

from mediatask_api.single_flight import SingleFlight


async def test_whoever_asks_while_a_call_runs_shares_the_next_one() -> None:
    flights: SingleFlight[int] = SingleFlight()
    started, gates = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    begun = 0

    async def call() -> int:
        nonlocal begun
        number, begun = begun, begun + 1
        started.set()
        await gates[number].wait()
        return number

    async def ask(key: str) -> int:
        return await flights.get(key, call)

    first = asyncio.create_task(ask("a"))
    await started.wait()
    later = [asyncio.create_task(ask("a")) for _ in range(5)]
    await asyncio.sleep(0)
    gates[1].set()
    assert begun == 1, "one at a time"
    gates[0].set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 5, "none got what was read before it asked"
    assert begun == 2


async def test_a_failure_is_that_of_all_who_share_it_and_ends_with_them() -> None:
    flights: SingleFlight[int] = SingleFlight()

    async def fails() -> int:
        raise ZeroDivisionError

    async def works() -> int:
        return 7

    with pytest.raises(ZeroDivisionError):
        await flights.get("a", fails)
    assert await flights.get("a", works) == 7


async def test_a_caller_who_leaves_takes_nothing_from_the_others() -> None:
    flights: SingleFlight[int] = SingleFlight()
    gate = asyncio.Event()

    async def call() -> int:
        await gate.wait()
        return 7

    leaving = asyncio.create_task(flights.get("a", call))
    await asyncio.sleep(0)
    staying = asyncio.create_task(flights.get("a", call))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()
    assert await staying == 7
