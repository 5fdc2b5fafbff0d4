"""Redis as a convenience: asked only while it answers, and never waited for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mediatask_common.logging import get_logger
from mediatask_common.redisview import UNREACHABLE

log = get_logger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 1.0
"""Longest wait for one answer."""
PAUSE_SECONDS = 5.0
"""Redis is left alone for this long once it is away, so that no further request waits for it."""


class RedisBreaker:
    """A circuit breaker: turns every failure into None, and leaves a Redis alone that does not answer."""

    def __init__(self, instead: str, failures: int) -> None:
        """A breaker that is closed.

        Args:
            instead: what is done without Redis, for the log.
            failures: after so many calls in a row without an answer Redis counts as away.
        """
        self._instead = instead
        self._most_failures = failures
        self._failures = 0
        self._away_until = 0.0

    async def call(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """What the call gives; None while Redis is away, or where it holds something odd."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await call()
        # Whatever it is: a cache that holds something odd, or that a client library stumbles over, stops no request.
        except Exception as error:
            # An odd value, however often it is asked for, is no reason to leave Redis.
            self._failures = self._failures + 1 if isinstance(error, UNREACHABLE) else 0
            if time.monotonic() >= self._away_until:  # once, however many calls waited for it
                log.warning("redis cannot tell", instead=self._instead, error=repr(error)[:500])
            if self._failures >= self._most_failures:
                self._away_until = time.monotonic() + PAUSE_SECONDS
            return None
        self._failures = 0
        return answer
