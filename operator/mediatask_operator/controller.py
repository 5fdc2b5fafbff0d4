"""The loop around the rule: for every task that needs it, observe, decide, act; one worker at a time per task.

    queue -> observe -> decide (-> its turn, its data -> decide) -> execute -> queue

Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

from .acting.executor import Executor, JobRefused
from .deciding.observation import Observed
from .deciding.plan import EffectAction, Need, Plan, RequeueAfter
from .deciding.reconcile import Policy, decide
from .effects.base import Effects
from .metrics import Metrics
from .objects import Key
from .slots import Slots
from .watching.observer import Observer
from .workqueue import WorkQueue

log = get_logger(__name__)


class Controller:
    """Reconciles tasks, one pass over one task at a time."""

    def __init__(
        self,
        queue: WorkQueue[Key],
        observer: Observer,
        slots: Slots,
        executor: Executor,
        effects: Effects,
        clock: Callable[[], datetime],
        policy: Policy,
    ) -> None:
        self._queue = queue
        self._observer = observer
        self._slots = slots
        self._executor = executor
        self._effects = effects
        self._clock = clock
        self._policy = policy

    async def reconcile(self, key: Key) -> None:
        """One pass over one task.

        Raises:
            KubeError: the API server failed, or the task has changed meanwhile: the pass has to be repeated.
            ValidationError: the API server holds a resource that cannot be read.
        """
        try:
            seen, plan = await self._decide(await self._observer.observe(key))
        except LookupError:
            self._slots.leave(key)
            self._observer.forget(key)
            return
        try:
            await self._execute(seen, plan)
        except JobRefused as error:
            if not error.refusal.final:
                self._slots.refused(seen, error.refusal.until)
            self._queue.add(key)
            return
        except KubeError as error:
            if error.conflict:
                # The watch may be far behind, while progress reports go on and on.
                with contextlib.suppress(LookupError):
                    await self._observer.refresh(key)
            raise
        self._slots.settle(seen, plan)

    async def _decide(self, seen: Observed) -> tuple[Observed, Plan]:
        """The plan, and what it was decided from: what the rule asks for is got and the rule applied again."""
        while True:
            plan = decide(seen, self._clock(), self._policy)
            match plan.needs:
                case None:
                    return seen, plan
                case Need.TURN:
                    seen = replace(seen, turn=self._slots.turn(seen))
                case Need.DATA:
                    seen = await self._observer.with_data(seen)

    async def _execute(self, seen: Observed, plan: Plan) -> None:
        for action in plan.actions:
            match action:
                case RequeueAfter():
                    self._queue.add_after(seen.task.key, action.seconds)
                case _ if isinstance(action, EffectAction):
                    self._effects.submit(seen.task, action)
                case _:
                    await self._executor.execute(seen.task, action)


class Workers:
    """Take keys from the queue and reconcile them; what fails comes again after a pause."""

    def __init__(self, queue: WorkQueue[Key], reconcile: Callable[[Key], Awaitable[None]], metrics: Metrics) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics
        self.last_pass = time.monotonic()
        """When a worker last finished a pass, by the monotonic clock."""

    async def run(self, number: int) -> None:
        """Work with so many workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._pass(key)
            finally:
                self._queue.done(key)
                self.last_pass = time.monotonic()

    async def _pass(self, key: Key) -> None:
        try:
            with self._metrics.reconcile_seconds.time():
                await self._reconcile(key)
            self._queue.succeeded(key)
        except KubeError as error:
            self._metrics.reconcile_errors.labels("conflict" if error.conflict else "kubernetes").inc()
            pause = self._queue.add_failed(key)
            if not error.conflict:
                log.warning("reconcile failed", task="/".join(key), error=str(error), again_in=round(pause, 2))
        except ValidationError as error:
            # Nothing is done until it changes; whatever of it runs keeps its slot.
            self._metrics.reconcile_errors.labels("invalid").inc()
            log.error("resource is not valid, left alone", task="/".join(key), error=str(error))
        except Exception:
            self._metrics.reconcile_errors.labels("unexpected").inc()
            log.exception("reconcile failed", task="/".join(key), again_in=round(self._queue.add_failed(key), 2))
