"""The slots of every class: who holds one, who waits, and who is next when one becomes free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError

from mediatask_crds.names import LABEL_CLASS
from mediatask_crds.task import Phase

from .deciding.admission import AdmissionQueue
from .deciding.budgets import Budgets, Sum, expected
from .deciding.charges import Holding
from .deciding.classes import NoClass, TaskClass, resolve, typical_seconds
from .deciding.observation import Observed, Task, Turn
from .deciding.plan import Plan, Slot
from .objects import Key, attempt_number, key_of
from .watching.cache import Cache, Entry


class Slots:
    """The step between observing a task and its next Job: its turn in the queue of its class."""

    def __init__(
        self,
        queue: AdmissionQueue,
        cache: Cache,
        wake: Callable[[Key], None],
        clock: Callable[[], datetime],
        budgets: Budgets,
    ) -> None:
        """Slots of the classes in the cache, for tasks whose projects have the money.

        Args:
            wake: told each task whose turn it has become.
        """
        self._queue = queue
        self._cache = cache
        self._wake = wake
        self._clock = clock
        self._budgets = budgets

    def resume(self) -> None:
        """Before the first pass: those who have slots hold them, and all others wait, so that the order is kept."""
        for entry in self._cache.entries.values():
            if entry.task is None:
                continue
            key, class_name = key_of(entry.task), _class_at_work(entry)
            try:
                task = Task.parse(entry.task)
            except ValidationError:
                if class_name is not None:  # its Job runs, whatever became of the task
                    self._queue.settle(key, class_name, (0, "", key), Slot.HOLD)
                continue
            if class_name is not None:
                self._queue.settle(key, class_name, task.rank, Slot.HOLD)
                self._budgets.commit(key, self._expected(task, resolve(task.spec, task.status, self._cache.classes)))
            elif task.status.phase in (None, Phase.QUEUED) and task.ready_at <= self._clock():
                found = resolve(task.spec, task.status, self._cache.classes)
                if isinstance(found, TaskClass):
                    self._queue.offer(key, found.name, task.rank)
                    self._budgets.expect(key, task.rank, self._expected(task, found))

    def turn(self, seen: Observed) -> Turn:
        """Let the task take its place, and a slot when one is free for that place."""
        task, task_class = seen.task, seen.task_class
        assert isinstance(task_class, TaskClass)
        slots, typical = task_class.spec.max_in_flight, typical_seconds(task.spec.task_type)
        retries = seen.refusal is not None
        now, cost = self._clock(), self._expected(task, task_class)
        over = self._budgets.in_the_way(task.key, task.rank, cost, now)
        if over is not None:
            return Turn(admitted=False, over_budget=over)
        # Nothing is awaited in between: no other task can be given the same money.
        turn = self._queue.turn(task.key, task_class.name, task.rank, slots, typical, now, retries=retries)
        if turn.admitted:
            self._budgets.commit(task.key, cost)
        return turn

    def refused(self, seen: Observed, until: datetime) -> None:
        """The task's Job was refused, as others of its class and namespace would be: none is tried for a while."""
        task, class_name = seen.task, self._queue.class_of(seen.task.key)
        if class_name is not None:
            self._queue.hold_back(class_name, task.namespace, until, self._clock())
            self._queue.settle(task.key, class_name, task.rank, Slot.WAIT)
            self._release(task.key)
            self._wake_next(class_name)  # of another namespace

    def settle(self, seen: Observed, plan: Plan) -> None:
        """Take note of what the task wants after a pass, and wake those whose turn that makes it."""
        task, before = seen.task, self._queue.class_of(seen.task.key)
        name = seen.task_class.name if isinstance(seen.task_class, TaskClass) else task.status.class_name or ""
        self._queue.settle(task.key, name, task.rank, plan.slot)
        if seen.turn is None or seen.turn.over_budget is None:
            self._budgets.wait_no_longer(task.key)
        if plan.slot is not Slot.HOLD:
            self._release(task.key)
        if before is not None and plan.slot is not Slot.HOLD:
            self._wake_next(before)
        elif plan.create is not None and self._queue.lift(name, task.namespace):
            self._wake_next(name)

    def leave(self, key: Key) -> None:
        """The task is gone."""
        class_name = self._queue.class_of(key)
        self._queue.leave(key)
        self._budgets.wait_no_longer(key)
        self._release(key)
        if class_name is not None:
            self._wake_next(class_name)

    def _release(self, key: Key) -> None:
        for funded in self._budgets.release(key, self._clock()):
            self._wake(funded)

    def _expected(self, task: Task, task_class: TaskClass | NoClass) -> Sum | None:
        """What the task's next attempt is expected to cost, or the one under way."""
        open_attempt, name = task.status.open_attempt, task.status.class_name or ""
        rate = open_attempt.rate if open_attempt is not None else Holding.of(task.spec, task_class).rate
        if open_attempt is None and isinstance(task_class, TaskClass):
            name = task_class.name
        seconds = self._queue.expected_seconds(name, typical_seconds(task.spec.task_type))
        return expected(task.spec.project_id, rate, seconds)

    def _wake_next(self, class_name: str) -> None:
        found = self._cache.classes.get(class_name)
        if found is not None:
            for key in self._queue.next_up(class_name, found.max_in_flight, self._clock()):
                self._wake(key)


def _class_at_work(entry: Entry) -> str | None:
    """The class of the attempt that is under way, from the resources as they were listed."""
    status = (entry.task or {}).get("status") or {}
    attempts = status.get("attempts") or []
    if attempts and "endedAt" not in attempts[-1]:
        return str(status.get("className", ""))
    untold = [job for job in entry.jobs.values() if attempt_number(job) > (status.get("attempt") or 0)]
    return next((str(job["metadata"]["labels"].get(LABEL_CLASS, "")) for job in untold), None)
