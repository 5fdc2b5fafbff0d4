"""A small worker pool: effects by key, each key once at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mediatask_common.logging import get_logger

log = get_logger(__name__)


class EffectPool:
    """Runs effects beside the reconcile loop. Belongs to one event loop."""

    def __init__(self, workers: int) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._running: dict[str, asyncio.Task[None]] = {}

    def submit(self, key: str, effect: Callable[[], Awaitable[None]], after: float = 0.0) -> None:
        """Run an effect after a pause of `after` seconds, unless one of this key waits or runs already."""
        if key in self._running:
            return
        task = asyncio.get_running_loop().create_task(self._run(key, effect, after))
        self._running[key] = task

    async def close(self) -> None:
        """Stop what runs; whatever it was for is done again after a restart."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: str, effect: Callable[[], Awaitable[None]], after: float) -> None:
        try:
            await asyncio.sleep(after)
            async with self._slots:
                # From here on the key is free again: the effect's outcome may call for the next one.
                await effect()
        except Exception:
            log.exception("effect failed", effect=key)
        finally:
            self._running.pop(key, None)
