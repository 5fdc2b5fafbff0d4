"""Shared buckets without a question to Redis for each request: who asks often has some taken ahead.

Never more than half of a bucket, and never for longer than a second: so nobody is refused for what another replica has
taken ahead, and replicas together never let more through than the limit. What one has not used by then is lost.
"""

from __future__ import annotations

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

    async def take(self, rate: Rate, who: str, cost: int) -> Verdict:
        """Count `cost` requests of somebody, or refuse them."""
        key = rate.name, who
        lease = self._current(key)
        if lease is not None and lease.left >= cost:
            lease.left -= cost
            used = lease.size - lease.left
            return replace(
                lease.verdict,
                remaining=lease.verdict.remaining - used,
                reset_seconds=lease.verdict.reset_seconds + used * rate.interval,
            )
        ahead = 0
        if lease is not None:
            # Twice as much each time that a lease is used up: who asks once a second has nothing taken ahead.
            ahead = min(max(2 * lease.size, 1), rate.quota // PART, MOST)
            lease.until = 0.0  # those who come meanwhile ask for themselves alone
        verdict, more = await self._shared.take(rate, who, cost, ahead)
        size = ahead if more else 0
        if size or self._current(key) is None:
            self._leases.pop(key, None)  # at the end: the lease taken longest ago is the first to go
            self._leases[key] = _Lease(size, size, self._clock() + LEASE_SECONDS, verdict)
            while len(self._leases) > self._size:
                del self._leases[next(iter(self._leases))]
        return verdict

    def _current(self, key: tuple[str, str]) -> _Lease | None:
        lease = self._leases.get(key)
        return lease if lease is not None and self._clock() < lease.until else None

    async def close(self) -> None:
        await self._shared.close()
