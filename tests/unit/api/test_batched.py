"""Small questions that are asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mediatask_api.batched import Batched


class Source:
    """Doubles numbers, once it may; a number below 0 is a failure."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await self.may_answer.wait()
        if min(numbers) < 0:
            raise ValueError("below 0")
        return [2 * number for number in numbers]


async def ask(batched: Batched[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """Callers who have asked and wait."""
    callers = [asyncio.create_task(batched.get(number)) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return callers


async def test_who_asks_at_the_same_time_asks_together() -> None:
    source = Source()
    callers = await ask(Batched(source), *range(10))
    source.may_answer.set()
    assert await asyncio.gather(*callers) == [2 * number for number in range(10)]
    assert source.asked == [list(range(10))]


async def test_who_asks_while_questions_are_on_their_way_goes_with_the_next() -> None:
    source = Source()
    batched = Batched(source, size=3, at_once=2)
    callers = [*await ask(batched, 1), *await ask(batched, 2), *await ask(batched, 3, 4, 5, 6)]
    assert source.asked == [[1], [2]]
    source.may_answer.set()
    assert await asyncio.gather(*callers) == [2, 4, 6, 8, 10, 12]
    assert source.asked[2:] == [[3, 4, 5], [6]]


async def test_a_failure_is_that_of_its_question_only() -> None:
    source = Source()
    batched = Batched(source)
    callers = [*await ask(batched, -1, 1), *await ask(batched, 2)]
    source.may_answer.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError, int]
    with pytest.raises(ValueError, match="below 0"):
        await batched.get(-2)
    assert await batched.get(3) == 6, "and it goes on"


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    source = Source()
    callers = await ask(Batched(source), 1, 2, 3)
    callers[0].cancel()
    source.may_answer.set()
    assert await asyncio.gather(*callers[1:]) == [4, 6]
    with pytest.raises(asyncio.CancelledError):
        await callers[0]


async def test_who_asks_in_the_moment_in_which_the_last_question_ends_is_answered() -> None:
    source = Source()
    source.may_answer.set()
    batched = Batched(source, at_once=1)

    async def asks_twice(number: int) -> int:
        return await batched.get(number) + await batched.get(number)

    async with asyncio.timeout(5):
        assert await asyncio.gather(asks_twice(1), asks_twice(2)) == [4, 8]
