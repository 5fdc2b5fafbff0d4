"""Many small questions as few larger ones: what is asked for while one is on its way goes with the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batched(Generic[K, V]):
    """Values by key. No value is older than the question for it, and a caller that goes away stops no other's."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]], size: int = 64, at_once: int = 2) -> None:
        """Values from `ask`, which gives one for each key, in order.

        Args:
            size: keys of one question, at most.
            at_once: questions on their way, at most: with two, a slow one does not hold up all others.
        """
        self._ask = ask
        self._size = size
        self._at_once = at_once
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V:
        """The value of one key. Raises what the question for it raised."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if len(self._asking) < self._at_once:
            # It begins once all that is ready now has been asked for.
            self._asking.add(asyncio.create_task(self._answer()))
        return await answer

    async def _answer(self) -> None:
        try:
            await self._answer_all()
        finally:
            # Not in a callback of the task: who asks between its last step and that callback would wait for ever.
            self._asking.discard(asyncio.current_task())

    async def _answer_all(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
            try:
                values = await self._ask([key for key, _ in taken])
            except Exception as error:
                for _, answer in taken:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), value in zip(taken, values, strict=True):
                if not answer.done():  # else its caller has gone
                    answer.set_result(value)
