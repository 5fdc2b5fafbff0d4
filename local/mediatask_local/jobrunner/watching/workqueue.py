"""Reconciling by key: one run per key at a time; a change during a run causes another one, an error a later retry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

from .informer import Key

log = get_logger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]
"""Reconciles the object of a key. Returns the seconds after which to do so again, None when that is not needed."""

FIRST_RETRY = 0.1
LAST_RETRY = 10.0


class Workqueue:
    """Runs `reconcile` for every enqueued key, up to `workers` keys at once."""

    def __init__(self, name: str, reconcile: Reconcile, *, workers: int = 16) -> None:
        self._name = name
        self._reconcile = reconcile
        self._slots = asyncio.Semaphore(workers)
        self._dirty: set[Key] = set()
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._delays: dict[Key, float] = {}
        self._closed = False

    def add(self, key: Key) -> None:
        """Enqueue a key whose object may have changed."""
        if self._closed:
            return
        self._dirty.add(key)
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._drain(key), name=f"{self._name} {key}")

    async def close(self) -> None:
        """Accept no more keys, and wait for the runs in flight."""
        self._closed = True
        self._dirty.clear()
        for timer in self._later.values():
            timer.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _drain(self, key: Key) -> None:
        try:
            while key in self._dirty:
                async with self._slots:
                    self._dirty.discard(key)
                    self._schedule(key, await self._once(key))
        finally:
            del self._running[key]

    async def _once(self, key: Key) -> float | None:
        try:
            after = await self._reconcile(key)
        except KubeError as error:
            # After a conflict a newer watch event is on its way; it is not worth a log line.
            if not error.conflict:
                log.warning("reconcile failed", queue=self._name, key="/".join(key), error=str(error))
        except Exception:
            log.exception("reconcile failed", queue=self._name, key="/".join(key))
        else:
            self._delays.pop(key, None)
            return after
        delay = self._delays.get(key, FIRST_RETRY)
        self._delays[key] = min(delay * 2, LAST_RETRY)
        return delay

    def _schedule(self, key: Key, after: float | None) -> None:
        timer = self._later.pop(key, None)
        if timer is not None:
            timer.cancel()
        if after is not None and not self._closed:
            self._later[key] = asyncio.get_running_loop().call_later(after, self.add, key)
