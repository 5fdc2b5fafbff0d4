"""Answers kept for a moment: many callers at once ask once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class TtlCache(Generic[V]):
    """Results of a coroutine by key. Failures are not kept; callers share a call that runs, however long it takes."""

    def __init__(self, seconds: float, size: int = 4096) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: dict[Hashable, tuple[float, asyncio.Task[V]]] = {}

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The kept result, or that of `make()`. Raises what it raises."""
        entry = self._entries.pop(key, None)
        if entry is None or (entry[1].done() and (entry[0] <= time.monotonic() or _failed(entry[1]))):
            entry = (time.monotonic() + self._seconds, asyncio.create_task(make()))
        self._entries[key] = entry  # at the end: the entry used longest ago is the first to go
        while len(self._entries) > self._size:
            self._entries.pop(next(iter(self._entries)))
        return await asyncio.shield(entry[1])

    def kept(self, key: Hashable) -> V | None:
        """The result if there is one that is still believed."""
        until, task = self._entries.get(key, (0.0, None))
        if task is None or until <= time.monotonic() or not task.done() or _failed(task):
            return None
        return task.result()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
