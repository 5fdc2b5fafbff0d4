"""Caps on requests that are held open, so that no caller takes the room of all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import RETRY_AFTER_SECONDS, ApiError


def too_many_held(why: str) -> ApiError:
    """429."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ApiError(429, "too-many-held", f"{why}; try again later.", headers=headers)


class Cap:
    """At most so many at one time in this process, and fewer for each caller."""

    def __init__(self, what: str, total: int, per_caller: int) -> None:
        """Count requests of one kind.

        Args:
            what: what they are, for the message: "log followers".
        """
        self._what = what
        self._total = total
        self._per_caller = per_caller
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Count one more of this caller until the end. Raises ApiError (429) where that is too many."""
        if self._held[caller] >= self._per_caller:
            raise too_many_held(f"This key has {self._per_caller} {self._what} already")
        if self._held.total() >= self._total:
            raise too_many_held(f"This replica has {self._total} {self._what} already")
        self._held[caller] += 1
        try:
            yield
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
