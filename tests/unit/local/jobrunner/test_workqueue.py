"""The queue of keys: one run per key at a time, no added key lost, errors retried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mediatask_local.jobrunner.watching.informer import Key
from mediatask_local.jobrunner.watching.workqueue import Workqueue
from support.jobs import eventually

A: Key = ("default", "a")
B: Key = ("default", "b")


async def test_keys_added_during_a_run_lead_to_exactly_one_more() -> None:
    runs: list[Key] = []
    going = asyncio.Event()
    gate = asyncio.Event()

    async def reconcile(key: Key) -> None:
        runs.append(key)
        going.set()
        await gate.wait()

    queue = Workqueue("test", reconcile)
    queue.add(A)
    await going.wait()
    for _ in range(5):
        queue.add(A)
    gate.set()
    await _until(lambda: len(runs) == 2)
    await queue.close()
    assert runs == [A, A]


async def test_keys_do_not_wait_for_each_other() -> None:
    both = asyncio.Barrier(2)

    async def reconcile(_key: Key) -> None:
        await both.wait()

    queue = Workqueue("test", reconcile)
    queue.add(A)
    queue.add(B)
    async with asyncio.timeout(5):
        await queue.close()


async def test_errors_and_answers_lead_to_another_look() -> None:
    runs = 0

    async def reconcile(_key: Key) -> float | None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("the first one fails")
        return 0.01 if runs == 2 else None

    queue = Workqueue("test", reconcile)
    queue.add(A)
    await _until(lambda: runs == 3)
    await queue.close()


async def _until(holds: Callable[[], bool]) -> None:
    async def look() -> bool:
        return holds()

    await eventually(look, bool, 5)
