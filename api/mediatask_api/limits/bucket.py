"""A token bucket as one number: the time at which it will be full again."""

from __future__ import annotations

import math
from dataclasses import dataclass

WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Rate:
    """So many requests per minute; all of them may come at once, after which they come back evenly."""

    name: str
    """What is limited, for headers and metrics: `caller`."""
    quota: int
    """Requests per minute, at least 1."""

    @property
    def interval(self) -> float:
        """Seconds in which one request comes back."""
        return WINDOW_SECONDS / self.quota


@dataclass(frozen=True)
class Verdict:
    """What a bucket said."""

    rate: Rate
    allowed: bool
    remaining: int
    """Requests that may follow at once."""
    reset_seconds: float
    """Until the bucket is full again, if no request follows."""
    retry_after_seconds: float
    """Until the same request would be allowed; 0 for an allowed one."""


def judge(rate: Rate, missing_seconds: float, cost: int) -> Verdict:
    """The verdict on `cost` requests.

    Args:
        missing_seconds: until the bucket is full, before these requests are counted.
    """
    missing = min(max(missing_seconds, 0.0), WINDOW_SECONDS)
    # Room for what floating-point numbers lose: a bucket that has refilled takes a whole quota.
    return verdict_on(rate, missing, cost, allowed=missing + cost * rate.interval <= WINDOW_SECONDS + 1e-6)


def verdict_on(rate: Rate, missing: float, cost: int, *, allowed: bool) -> Verdict:
    """The verdict on `cost` requests that were allowed or refused; `missing` seconds is from before them."""
    after = missing + cost * rate.interval
    now_missing = after if allowed else missing
    return Verdict(
        rate,
        allowed,
        remaining=max(math.floor((WINDOW_SECONDS - now_missing) / rate.interval + 1e-6), 0),
        reset_seconds=now_missing,
        retry_after_seconds=0.0 if allowed else after - WINDOW_SECONDS,
    )
