"""A worker pool for one kind of effect: each key once at a time, and lanes that do not hold up each other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Run = Callable[[], Awaitable[None]]
"""Carries out an effect; raises nothing."""


@dataclass
class _Lane:
    running: int = 0
    waiting: deque[tuple[str, Run]] = field(default_factory=deque)


class EffectPool:
    """Runs effects beside the reconcile loop. Belongs to one event loop.

    Effects of one lane (of one receiver, say) wait for each other when there are many; between lanes it goes in turn,
    so that a slow one uses its own share only.
    """

    def __init__(self, workers: int, per_lane: int, capacity: int = 10_000) -> None:
        """A pool that runs at most `workers` at one time, `per_lane` of one lane.

        Args:
            capacity: effects that may wait or run; what is more is turned away, and so is what is more than a quarter
                of it in one lane.
        """
        self._workers = workers
        self._per_lane = per_lane
        self._capacity = capacity
        self._keys: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._lanes: dict[str, _Lane] = {}
        self._turns: deque[str] = deque()
        """Lanes with something that waits and room to run it, each once."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Effects that wait or run."""
        return len(self._keys)

    def submit(self, key: str, lane: str, run: Run, after: float = 0.0) -> bool:
        """Run an effect after a pause of `after` seconds, unless one of this key waits or runs already.

        Returns:
            Whether it will be run; False where there is no room for it.
        """
        if key in self._keys:
            return True
        known = self._lanes.get(lane)
        if len(self._keys) >= self._capacity or (known and len(known.waiting) >= self._capacity // 4):
            return False
        self._keys.add(key)
        if after > 0:
            self._timers[key] = asyncio.get_running_loop().call_later(after, self._enqueue, key, lane, run)
        else:
            self._enqueue(key, lane, run)
        return True

    async def close(self) -> None:
        """Stop what runs and drop what waits; whatever it was for is done again after a restart."""
        for timer in self._timers.values():
            timer.cancel()
        for lane in self._lanes.values():
            lane.waiting.clear()
        self._turns.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _enqueue(self, key: str, name: str, run: Run) -> None:
        self._timers.pop(key, None)
        lane = self._lanes.setdefault(name, _Lane())
        lane.waiting.append((key, run))
        if len(lane.waiting) == 1 and lane.running < self._per_lane:
            self._turns.append(name)
        self._start()

    def _start(self) -> None:
        while self._turns and len(self._tasks) < self._workers:
            name = self._turns.popleft()
            lane = self._lanes[name]
            key, run = lane.waiting.popleft()
            lane.running += 1
            if lane.waiting and lane.running < self._per_lane:
                self._turns.append(name)
            task = asyncio.get_running_loop().create_task(self._run(key, run))
            self._tasks.add(task)
            task.add_done_callback(lambda task, name=name: self._ended(task, name))  # type: ignore[misc]

    async def _run(self, key: str, run: Run) -> None:
        try:
            await run()
        finally:
            # Free before anybody looks at the outcome, which may call for the same effect again.
            self._keys.discard(key)

    def _ended(self, task: asyncio.Task[None], name: str) -> None:
        self._tasks.discard(task)
        lane = self._lanes[name]
        was_full = lane.running == self._per_lane
        lane.running -= 1
        if was_full and lane.waiting:
            self._turns.append(name)
        if not lane.running and not lane.waiting:
            del self._lanes[name]
        self._start()
