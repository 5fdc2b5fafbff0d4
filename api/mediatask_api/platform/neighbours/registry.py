"""What is known of each neighbour. Each is asked on its own, so that a dead one holds up nobody's answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mediatask_common.times import rfc3339, utcnow

FRESH_SECONDS = 10.0
"""For so long a neighbour is not asked again."""
BELIEVED_SECONDS = 60.0
"""For so long what is known is told while it is asked anew; older news is worth waiting for."""
PATIENCE_SECONDS = 1.0
"""Longest wait of an answer for neighbours of which nothing is known."""
TIMEOUT_SECONDS = 3.0
"""A neighbour that takes longer is down."""


class Unwell(Exception):
    """A neighbour answers that it does not work; the message may be shown to callers."""


@dataclass(frozen=True)
class Neighbour:
    """A service that the settings name."""

    name: str
    url: str | None
    """For people, without credentials; None where it has none."""
    check: Callable[[], Awaitable[object]]
    """Raises whatever it likes where the neighbour does not work."""


@dataclass(frozen=True)
class State:
    """What the last check has found."""

    state: Literal["up", "down", "unknown"] = "unknown"
    latency_ms: float | None = None
    checked_at: str | None = None
    message: str | None = None
    """The kind of failure: what libraries say names hosts, and sometimes credentials."""
    at: float = float("-inf")
    """By the monotonic clock."""


UNKNOWN = State()


class Registry:
    """The neighbours with their states; each is asked by one check at a time."""

    def __init__(
        self, neighbours: Sequence[Neighbour], timeout: float = TIMEOUT_SECONDS, fresh: float = FRESH_SECONDS
    ) -> None:
        self._neighbours = neighbours
        self._timeout = timeout
        self._fresh = fresh
        self._states: dict[str, State] = {}
        self._checks: dict[str, asyncio.Task[None]] = {}

    async def states(self) -> list[tuple[Neighbour, State]]:
        """Every neighbour with its state, after a second at most."""
        now = time.monotonic()
        awaited = []
        for neighbour in self._neighbours:
            age = now - self._states.get(neighbour.name, UNKNOWN).at
            if age > self._fresh and neighbour.name not in self._checks:
                self._checks[neighbour.name] = asyncio.create_task(self._check(neighbour))
            if age > BELIEVED_SECONDS and neighbour.name in self._checks:
                awaited.append(self._checks[neighbour.name])
        if awaited:
            await asyncio.wait(awaited, timeout=PATIENCE_SECONDS)
        return [(neighbour, self._believed(neighbour)) for neighbour in self._neighbours]

    async def close(self) -> None:
        """Ask no more."""
        checks = list(self._checks.values())
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)

    def _believed(self, neighbour: Neighbour) -> State:
        state = self._states.get(neighbour.name, UNKNOWN)
        return state if time.monotonic() - state.at <= BELIEVED_SECONDS else UNKNOWN

    async def _check(self, neighbour: Neighbour) -> None:
        start = time.monotonic()
        call = asyncio.ensure_future(neighbour.check())
        try:
            if not (await asyncio.wait({call}, timeout=self._timeout))[0]:
                self._note(neighbour, "down", message=f"no answer within {self._timeout:g} s")
                # It may hold a thread until its own time-out: the next check waits for the end of this one.
                await asyncio.wait({call})
                return
            error = call.exception()
            if error is None:
                self._note(neighbour, "up", latency_ms=round((time.monotonic() - start) * 1000, 2))
            else:
                message = str(error) if isinstance(error, Unwell) else type(error).__name__
                self._note(neighbour, "down", message=message)
        finally:
            call.cancel()
            del self._checks[neighbour.name]

    def _note(
        self,
        neighbour: Neighbour,
        state: Literal["up", "down"],
        latency_ms: float | None = None,
        message: str | None = None,
    ) -> None:
        self._states[neighbour.name] = State(state, latency_ms, rfc3339(utcnow()), message, time.monotonic())
