"""Redis as a convenience: asked only while it answers and an operator keeps it current."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mediatask_common.logging import get_logger
from mediatask_common.redisview import UNREACHABLE, RedisView

log = get_logger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 1.0
"""Longest wait for one answer."""
FAILURES = 3
"""After so many calls in a row without an answer Redis counts as away."""
PAUSE_SECONDS = 5.0
"""Redis is left alone for this long once it is away, so that no further request waits for it."""
FRESHNESS_SECONDS = 1.0
"""How long a reading of the freshness key is trusted; the key itself lives 15 s."""


class RedisReader:
    """A RedisView that never raises: what it cannot tell is None, and Kubernetes is asked instead."""

    def __init__(self, view: RedisView | None) -> None:
        self._view = view
        self._failures = 0
        self._away_until = 0.0
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
            self._fresh = bool(await self._try(lambda view: view.fresh()))
            self._fresh_until = time.monotonic() + FRESHNESS_SECONDS
        return self._fresh

    async def _try(self, call: Callable[[RedisView], Awaitable[T]]) -> T | None:
        if self._view is None or time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await call(self._view)
        # Whatever it is: a cache that holds something odd, or that a client library stumbles over, stops no request.
        except Exception as error:
            # An odd value, however often it is asked for, is no reason to leave Redis.
            self._failures = self._failures + 1 if isinstance(error, UNREACHABLE) else 0
            if self._failures >= FAILURES:
                self._away_until = time.monotonic() + PAUSE_SECONDS
            log.warning("redis cannot tell, reading from Kubernetes", error=repr(error)[:500])
            return None
        self._failures = 0
        return answer


async def _done(writing: Awaitable[object]) -> bool:
    await writing
    return True
