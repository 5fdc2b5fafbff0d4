"""The shape of an effect, and which effect carries out which action.

To add one: an action in `deciding/plan.py`, an outcome in `deciding/observation.py`, a class like `Effect` here, and
a line in `main.py` that registers it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mediatask_common.logging import get_logger

from ..deciding.classes import NoClass, TaskClass
from ..deciding.observation import Outcome, Task
from ..deciding.plan import EffectAction
from ..metrics import Metrics
from ..objects import Key
from .pool import EffectPool

log = get_logger(__name__)

A = TypeVar("A", bound=EffectAction, contravariant=True)

ReadData = Callable[[Task], Awaitable[dict[str, Any]]]
"""Gets a task's `taskData`, which the cache does not keep. Raises KubeError."""
ReadClass = Callable[[Task], TaskClass | NoClass]
"""The task's class as it is now."""

NO_ROOM_SECONDS = 30.0
"""When a task comes again whose effect found its pool full; up to twice that, so that they do not come at once."""


class Effect(Protocol[A]):
    """Something done for a task outside the cluster."""

    name: str

    def lane(self, task: Task) -> str:
        """Whom the effect needs: many effects of one lane wait for each other, not those of others for them."""

    async def run(self, task: Task, action: A) -> Outcome | None:
        """Carry out the action once.

        Args:
            task: the task as it is now, not as it was when the action was decided.

        Returns:
            What the next reconcile has to know; None when the action no longer applies.
        """

    def failed(self, action: A, error: Exception) -> Outcome | None:
        """What the next reconcile has to know after `run` raised what it should not: to try again after a pause."""


@dataclass(frozen=True)
class _Registered:
    effect: Effect[Any]
    pool: EffectPool


class Effects:
    """Carries out effects, each kind in a pool of its own, and passes on what came of them."""

    def __init__(
        self,
        current: Callable[[Key, str], Task | None],
        learned: Callable[[Task, Outcome], None],
        again: Callable[[Key, float], None],
        metrics: Metrics,
    ) -> None:
        """Effects by the action that asks for them; none at first.

        Args:
            current: the task of this key and UID as it is now; None when it is gone
                or cannot be read.
            learned: told each outcome; the task is looked at again.
            again: told which task is to be looked at again, in how many seconds, though nothing came of its effect.
        """
        self._current = current
        self._learned = learned
        self._again = again
        self._metrics = metrics
        self._registered: dict[type[EffectAction], _Registered] = {}

    def register(self, action: type[EffectAction], effect: Effect[Any], pool: EffectPool) -> None:
        """Let an effect carry out this kind of action, in this pool."""
        self._registered[action] = _Registered(effect, pool)

    def submit(self, task: Task, action: EffectAction) -> None:
        """Carry out the action beside the loop, unless the same one waits or runs already."""
        registered = self._registered[type(action)]
        key, uid = task.key, task.uid  # the task itself is large, and thousands may wait

        async def run() -> None:
            now = self._current(key, uid)
            if now is not None:
                await self._run(registered.effect, now, action)

        lane = registered.effect.lane(task)
        if not registered.pool.submit(f"{uid}/{action.key}", lane, run, action.after_seconds):
            self._again(key, NO_ROOM_SECONDS * (1 + random.random()))

    async def close(self) -> None:
        """Stop what runs."""
        for registered in self._registered.values():
            await registered.pool.close()

    async def _run(self, effect: Effect[Any], task: Task, action: EffectAction) -> None:
        outcome: Outcome | None
        try:
            outcome = await effect.run(task, action)
        except Exception as error:
            log.exception("effect failed", effect=effect.name, task=task.name)
            self._metrics.effect_failures.labels(effect.name).inc()
            outcome = effect.failed(action, error)
        if outcome is not None:
            self._learned(task, outcome)
