"""A work queue with client-go's contract, and a token bucket for writes.

A key is worked on by one worker at a time; added while it is being worked on, it comes again afterwards; added
often, it comes once. Failures come again after a growing pause. Urgent keys come before others, but never alone.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

URGENT_IN_A_ROW = 4
"""So many urgent keys come before one that is not, so that neither kind starves."""


class WorkQueue(Generic[K]):
    """Keys that need work. Belongs to one event loop."""

    def __init__(self, *, base_delay: float = 0.05, max_delay: float = 60.0, rng: Callable[[], float] = random.random):
        """A queue whose failed keys come again after `base_delay` seconds, doubled each time up to `max_delay`."""
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._random = rng
        self._ready: deque[K] = deque()
        self._urgent: deque[K] = deque()
        self._in_a_row = 0
        self._dirty: set[K] = set()
        self._in_flight: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready) + len(self._urgent)

    def add(self, key: K, *, urgent: bool = False) -> None:
        """The key needs work now, or again once its current work is done."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._in_flight:
            (self._urgent if urgent else self._ready).append(key)
            self._wake()

    def add_after(self, key: K, delay: float) -> None:
        """The key needs work in `delay` seconds; of several such calls the earliest counts."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def add_failed(self, key: K) -> float:
        """The key's work failed: it comes again after a pause, which is returned in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(self._base_delay * 2 ** min(failures, 30), self._max_delay) * (1 + self._random() / 2)
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: K) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; call `done` when its work is over."""
        while not self:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._wake()  # the wake-up was ours: pass it on
                raise
        key = self._next()
        self._dirty.discard(key)
        self._in_flight.add(key)
        return key

    def done(self, key: K) -> None:
        """The key's work is over."""
        self._in_flight.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake()

    def _next(self) -> K:
        if self._urgent and (self._in_a_row < URGENT_IN_A_ROW or not self._ready):
            self._in_a_row += 1
            return self._urgent.popleft()
        self._in_a_row = 0
        return self._ready.popleft()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class TokenBucket:
    """At most `rate` a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at: float | None = None

    async def take(self) -> None:
        """Wait for one token. First come, first served: each caller books its token before it waits."""
        now = asyncio.get_running_loop().time()
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)
