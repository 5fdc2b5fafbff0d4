"""The shape of an effect, and which effect carries out which action.

To add one: an action in `deciding/plan.py`, an outcome in `deciding/observation.py`, a class like `Effect` here, and
a line in `main.py` that registers it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..deciding.observation import Outcome, Task
from ..deciding.plan import EffectAction
from .pool import EffectPool

A = TypeVar("A", bound=EffectAction, contravariant=True)


class Effect(Protocol[A]):
    """Something done for a task outside the cluster."""

    name: str

    async def run(self, task: Task, action: A) -> Outcome | None:
        """Carry out the action once.

        Args:
            task: the task as it is now, not as it was when the action was decided.

        Returns:
            What the next reconcile has to know; None when the action no longer applies.
        """


@dataclass(frozen=True)
class _Registered:
    effect: Effect[Any]
    pool: EffectPool


class Effects:
    """Carries out effects, each kind in a pool of its own, and passes on what came of them."""

    def __init__(self, current: Callable[[Task], Task | None], learned: Callable[[Task, Outcome], None]) -> None:
        """Effects by the action that asks for them; none at first.

        Args:
            current: the task as it is now; None when it is gone.
            learned: told each outcome; the task is looked at again.
        """
        self._current = current
        self._learned = learned
        self._registered: dict[type[EffectAction], _Registered] = {}

    def register(self, action: type[EffectAction], effect: Effect[Any], workers: int) -> None:
        """Let an effect carry out this kind of action, at most `workers` at one time."""
        self._registered[action] = _Registered(effect, EffectPool(workers))

    def submit(self, task: Task, action: EffectAction) -> None:
        """Carry out the action beside the loop, unless the same one waits or runs already."""
        registered = self._registered[type(action)]

        async def run() -> None:
            now = self._current(task)
            outcome = None if now is None else await registered.effect.run(now, action)
            if now is not None and outcome is not None:
                self._learned(now, outcome)

        registered.pool.submit(f"{task.uid}/{action.key}", run, action.after_seconds)

    async def close(self) -> None:
        """Stop what runs."""
        for registered in self._registered.values():
            await registered.pool.close()
