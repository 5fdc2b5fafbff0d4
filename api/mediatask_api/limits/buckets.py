"""Where buckets are kept: in Redis, right across replicas, or in this process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis

from ..batched import Batched
from .bucket import WINDOW_SECONDS, Rate, Verdict, judge, verdict_on

# Redis's own clock, so that replicas need not agree on the time. A value that is no number, or further off than a
# bucket can be, counts as the nearest that can. What is taken ahead is taken only where half of the bucket is left
# then. Answers whether the request is allowed, the milliseconds until the bucket is full, before it, and whether more
# was taken ahead.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local window, price = tonumber(ARGV[1]), tonumber(ARGV[2])
local missing = (tonumber(redis.call('GET', KEYS[1])) or now) - now
if missing ~= missing or missing < 0 then missing = 0 end
if missing > window then missing = window end
local after = missing + price
local allowed, ahead = after <= window + 0.001, after + tonumber(ARGV[3]) <= window / 2
if allowed then
  if ahead then after = after + tonumber(ARGV[3]) end
  redis.call('SET', KEYS[1], string.format('%.3f', now + after), 'PX', math.ceil(after) + 1000)
end
return {allowed and 1 or 0, string.format('%.3f', missing), ahead and 1 or 0}
"""


_Taking = tuple[str, float, float]
"""Key of a bucket, and the milliseconds that are taken of it: now, and ahead."""


class RedisBuckets:
    """Buckets of all replicas. Raises RedisError while Redis is away."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._prefix = f"mt:{{{namespace}}}:rate"
        self._takings: Batched[_Taking, Any] = Batched(self._take)

    async def take(self, rate: Rate, who: str, cost: int, ahead: int = 0) -> tuple[Verdict, bool]:
        """Count `cost` requests of somebody, or refuse them.

        Args:
            ahead: more to take for later ones; the answer says whether they were, and the verdict is from before them.
        """
        # Hashed: names come from tokens of identity providers, and may be of any length.
        key = f"{self._prefix}:{rate.name}:{hashlib.sha256(who.encode(errors='surrogatepass')).hexdigest()[:32]}"
        price, later = (round(1000 * number * rate.interval, 3) for number in (cost, ahead))
        answer = await self._takings.get((key, price, later))
        if isinstance(answer, Exception):
            raise answer  # about what this one key holds
        took, missing, more = answer
        return verdict_on(rate, float(missing) / 1000, cost, allowed=bool(took)), bool(more)

    async def _take(self, takings: Sequence[_Taking]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for key, price, later in takings:
            # The text and not its digest: a pipeline asks first whether Redis knows a digest, which costs more.
            pipe.eval(_TAKE, 1, key, str(1000 * WINDOW_SECONDS), str(price), str(later))
        answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers

    async def close(self) -> None:
        await self._redis.aclose()


class LocalBuckets:
    """Buckets of this process."""

    def __init__(self, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._full_at: dict[tuple[str, str], float] = {}
        self._size = size
        self._clock = clock

    def take(self, rate: Rate, who: str, cost: int) -> Verdict:
        """Count `cost` requests of somebody, or refuse them."""
        now, key = self._clock(), (rate.name, who)
        full_at = self._full_at.pop(key, now)
        verdict = judge(rate, full_at - now, cost)
        self._full_at[key] = now + verdict.reset_seconds  # at the end: the bucket used longest ago is the first to go
        while len(self._full_at) > self._size:
            del self._full_at[next(iter(self._full_at))]
        return verdict
