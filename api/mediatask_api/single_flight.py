"""One call at a time, shared by whoever asks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class SingleFlight(Generic[V]):
    """Results of a coroutine by key, never older than the question.

    Whoever asks while a call runs waits for the next one, which begins after it: the running one may have read what
    has changed since.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[V]] = {}
        self._next: dict[Hashable, asyncio.Task[V]] = {}

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result of `make()`, called for all who wait. Raises what it raises."""
        running = self._running.get(key)
        if running is None:
            shared = self._running[key] = asyncio.create_task(self._call(key, make))
        elif key in self._next:
            shared = self._next[key]
        else:
            shared = self._next[key] = asyncio.create_task(self._call(key, make, after=running))
        return await asyncio.shield(shared)

    async def _call(
        self, key: Hashable, make: Callable[[], Coroutine[Any, Any, V]], after: asyncio.Task[V] | None = None
    ) -> V:
        if after is not None:
            await asyncio.wait([after])
        try:
            return await make()
        finally:
            following = self._next.pop(key, None)
            if following is None:
                del self._running[key]
            else:
                self._running[key] = following
