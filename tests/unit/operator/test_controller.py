"""The workers: one task's trouble is that task's alone."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError

from mediatask_common.kube import KubeError
from mediatask_crds.task import MediaTaskStatus
from mediatask_operator.controller import Workers
from mediatask_operator.metrics import Metrics
from mediatask_operator.objects import Key
from mediatask_operator.workqueue import WorkQueue

GOOD, BAD = ("default", "good"), ("default", "bad")


def unreadable() -> ValidationError:
    try:
        MediaTaskStatus.model_validate({"progress": "half"})
    except ValidationError as error:
        return error
    raise AssertionError("the status is valid")


class Passes:
    """Passes over two tasks by one worker: the bad one's fail."""

    def __init__(self, error: Exception) -> None:
        self.queue: WorkQueue[Key] = WorkQueue(base_delay=0.01)
        self.metrics = Metrics()
        self.workers = Workers(self.queue, self.reconcile, self.metrics)
        self.done: dict[Key, int] = {GOOD: 0, BAD: 0}
        self.news = asyncio.Condition()
        self._error = error

    async def reconcile(self, key: Key) -> None:
        async with self.news:
            self.done[key] += 1
            self.news.notify_all()
        if key == BAD:
            raise self._error

    async def run_until(self, good: int, bad: int) -> None:
        running = asyncio.create_task(self.workers.run(1))
        self.queue.add(BAD)
        try:
            async with asyncio.timeout(30), self.news:
                while self.done[GOOD] < good or self.done[BAD] < bad:
                    self.queue.add(GOOD)
                    await self.news.wait()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def failed(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("mediatask_reconcile_errors_total", {"reason": reason})


async def test_a_pass_that_fails_is_repeated_and_holds_nobody_up() -> None:
    passes = Passes(RuntimeError("a mistake of ours"))
    await passes.run_until(good=3, bad=3)
    assert (passes.failed("unexpected") or 0) >= 2


async def test_so_is_one_that_the_api_server_failed() -> None:
    passes = Passes(KubeError(409, "Conflict", "the object has been modified"))
    await passes.run_until(good=3, bad=3)
    assert (passes.failed("conflict") or 0) >= 2


async def test_a_resource_that_cannot_be_read_waits_for_its_next_change() -> None:
    passes = Passes(unreadable())
    await passes.run_until(good=50, bad=1)
    assert (passes.done[BAD], passes.failed("invalid")) == (1, 1)
