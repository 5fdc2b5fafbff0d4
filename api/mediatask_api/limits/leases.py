"""Shared buckets without a question to Redis for each request: who asks often has some taken ahead.

Never more than half of a bucket, and never for longer than a second: so nobody is refused for what another replica has
taken ahead, and replicas together never let more through than the limit. What one has not used by then is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from .bucket import Rate, Verdict
from .buckets import RedisBuckets

LEASE_SECONDS = 1.0
PART = 120
"""Of a bucket, at most this part is taken ahead at a time: what comes back in half a second."""
MOST = 64


@dataclass
class _Lease:
    """What was taken ahead."""

    size: int
    left: int
    until: float
    verdict: Verdict
    """From before it."""


class Leases:
    """Buckets of all replicas, as one replica uses them. Raises RedisError while Redis is away."""

    def __init__(self, shared: RedisBuckets, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._size = size
        self._clock = clock
        self._leases: dict[tuple[str, str], _Lease] = {}
        self._renewals: dict[tuple[str, str], asyncio.Event] = {}

    async def take(self, rate: Rate, who: str, cost: int) -> Verdict:
        """Count `cost` requests of somebody, or refuse them."""
        key = rate.name, who
        verdict = self._from_lease(key, rate, cost)
        if verdict is None and (renewal := self._renewals.get(key)) is not None:
            # Once: near the limit there is nothing for most who wait, and they would be let in one after the other.
            await renewal.wait()
            verdict = self._from_lease(key, rate, cost)
        return verdict or await self._ask(key, rate, cost)

    def _from_lease(self, key: tuple[str, str], rate: Rate, cost: int) -> Verdict | None:
        lease = self._current(key)
        if lease is None or lease.left < cost:
            return None
        lease.left -= cost
        used = lease.size - lease.left
        return replace(
            lease.verdict,
            remaining=lease.verdict.remaining - used,
            reset_seconds=lease.verdict.reset_seconds + used * rate.interval,
        )

    async def _ask(self, key: tuple[str, str], rate: Rate, cost: int) -> Verdict:
        lease = self._current(key)
        if lease is None:
            verdict, _ = await self._shared.take(rate, key[1], cost)
            if self._current(key) is None:
                self._keep(key, 0, verdict)
            return verdict
        # Twice as much each time that a lease is used up: who asks once a second has nothing taken ahead.
        ahead = min(max(2 * lease.size, 1), rate.quota // PART, MOST)
        lease.until = 0.0  # its successor is on its way
        renewal = self._renewals[key] = asyncio.Event()
        try:
            verdict, more = await self._shared.take(rate, key[1], cost, ahead)
            if more or self._current(key) is None:
                self._keep(key, ahead if more else 0, verdict)
            return verdict
        finally:
            if self._renewals.get(key) is renewal:
                del self._renewals[key]
            renewal.set()

    def _keep(self, key: tuple[str, str], size: int, verdict: Verdict) -> None:
        self._leases.pop(key, None)  # at the end: the lease taken longest ago is the first to go
        self._leases[key] = _Lease(size, size, self._clock() + LEASE_SECONDS, verdict)
        while len(self._leases) > self._size:
            del self._leases[next(iter(self._leases))]

    def _current(self, key: tuple[str, str]) -> _Lease | None:
        lease = self._leases.get(key)
        return lease if lease is not None and self._clock() < lease.until else None

    async def close(self) -> None:
        await self._shared.close()
