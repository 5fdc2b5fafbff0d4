"""Redis as a convenience: asked only while it answers and an operator keeps it current."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mediatask_common.redisview import RedisView

from ...redis_breaker import RedisBreaker

T = TypeVar("T")

FRESHNESS_SECONDS = 1.0
"""How long a reading of the freshness key is trusted; the key itself lives 15 s."""


class RedisReader:
    """A RedisView that never raises: what it cannot tell is None, and Kubernetes is asked instead."""

    def __init__(self, view: RedisView | None) -> None:
        self._view = view
        self._breaker = RedisBreaker("reading from Kubernetes", failures=3)
        self._fresh = False
        self._fresh_until = 0.0

    @property
    def configured(self) -> bool:
        return self._view is not None

    async def ask(self, question: Callable[[RedisView], Awaitable[T]]) -> T | None:
        """Read, while the view is current; None when it is not, or Redis is away."""
        return await self._try(question) if await self._is_fresh() else None

    async def tell(self, news: Callable[[RedisView], Awaitable[object]]) -> bool:
        """Write, best effort. Whether it was written."""
        return await self._try(lambda view: _done(news(view))) is not None

    async def recall(self, question: Callable[[RedisView], Awaitable[T]]) -> T | None:
        """Read what is not part of the view, such as event streams: it needs no operator that keeps it current."""
        return await self._try(question)

    async def _is_fresh(self) -> bool:
        if time.monotonic() >= self._fresh_until:
            # Before the answer: it is asked once, and who comes meanwhile goes by the last one.
            self._fresh_until = time.monotonic() + FRESHNESS_SECONDS
            self._fresh = bool(await self._try(lambda view: view.fresh()))
        return self._fresh

    async def _try(self, call: Callable[[RedisView], Awaitable[T]]) -> T | None:
        view = self._view
        return None if view is None else await self._breaker.call(lambda: call(view))


async def _done(writing: Awaitable[object]) -> bool:
    await writing
    return True
