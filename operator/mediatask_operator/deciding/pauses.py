"""When something that failed outside the cluster is tried again. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from .tuning import Retries


def pause(
    tuning: Retries, uid: str, number: int, *, permanent: bool = False, retry_after: float | None = None
) -> timedelta:
    """The pause after try `number` of the task: a longer one where the try will fail again until somebody acts, or
    where the service asked for it."""
    pauses = tuning.pauses
    found = tuning.refused if permanent else pauses[min(number, len(pauses)) - 1]
    if retry_after is not None and retry_after > 0:  # NaN is not
        found = max(found, timedelta(seconds=min(retry_after, tuning.longest_retry_after.total_seconds())))
    jitter = hashlib.sha256(f"{uid}/{number}".encode()).digest()[0] / 255
    return found * (1 + tuning.jitter * jitter)
