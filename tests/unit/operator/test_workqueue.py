"""The work queue's contract: one worker a key, nothing lost, nothing twice, growing pauses after failures."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from mediatask_operator.workqueue import URGENT_IN_A_ROW, TokenBucket, WorkQueue


async def test_a_key_added_often_comes_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(5):
        queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_added_while_in_work_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await asyncio.wait_for(queue.get(), 10) == "a"


async def test_of_several_delays_the_earliest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)
    assert await asyncio.wait_for(queue.get(), 10) == "a"
    queue.done("a")


async def test_a_delay_that_an_earlier_one_has_replaced_is_none() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.05)
    queue.add_after("a", 0.01)
    queue.add_after("b", 0.1)
    assert await asyncio.wait_for(queue.get(), 10) == "a"
    queue.done("a")
    assert await asyncio.wait_for(queue.get(), 10) == "b"


async def test_a_key_may_be_delayed_again_once_its_delay_is_over() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(2):
        queue.add_after("a", 0.01)
        assert await asyncio.wait_for(queue.get(), 10) == "a"
        queue.done("a")


async def test_many_urgent_keys_need_no_other_in_between() -> None:
    queue: WorkQueue[int] = WorkQueue()
    for key in range(3 * URGENT_IN_A_ROW):
        queue.add(key, urgent=True)
    assert [await queue.get() for _ in range(3 * URGENT_IN_A_ROW)] == list(range(3 * URGENT_IN_A_ROW))


async def test_failures_wait_longer_each_time_until_a_success() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=1, max_delay=10, rng=lambda: 0.0)
    assert [queue.add_failed("a") for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    queue.succeeded("a")
    assert queue.add_failed("a") == 1
    assert WorkQueue[str]().add_failed("a") <= 0.1, "what fails once is tried again at once, or nearly so"


async def test_a_cancelled_waiter_loses_no_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    done, _ = await asyncio.wait([first, second], timeout=30)
    assert any(not task.cancelled() and task.result() == "a" for task in done)
    second.cancel()


async def test_many_workers_never_share_a_key() -> None:
    queue: WorkQueue[int] = WorkQueue()
    busy: set[int] = set()
    seen: Counter[int] = Counter()
    all_seen = asyncio.Event()

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in busy
            busy.add(key)
            await asyncio.sleep(0)
            busy.discard(key)
            queue.done(key)
            seen[key] += 1
            if len(seen) == 11:
                all_seen.set()

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for _ in range(50):
        for key in range(10):
            queue.add(key)
        await asyncio.sleep(0)
    queue.add(99)
    await asyncio.wait_for(all_seen.wait(), 10)
    for worker in workers:
        assert not worker.done()
        worker.cancel()


async def test_the_bucket_lets_a_burst_through_and_then_keeps_the_rate() -> None:
    bucket = TokenBucket(rate=100, burst=5)
    begin = time.monotonic()
    await asyncio.gather(*(bucket.take() for _ in range(15)))
    assert 0.09 <= time.monotonic() - begin <= 1


async def test_urgent_keys_come_first_but_never_alone() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for number in range(2):
        queue.add(f"n{number}")
    for number in range(9):
        queue.add(f"u{number}", urgent=True)
    order = [await queue.get() for _ in range(len(queue))]
    assert order == ["u0", "u1", "u2", "u3", "n0", "u4", "u5", "u6", "u7", "n1", "u8"]


async def test_failed_keys_do_not_come_again_all_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=1, max_delay=10, rng=lambda: 1.0)
    assert [queue.add_failed("a") for _ in range(5)] == [1.5, 3, 6, 12, 15]
    by_chance: WorkQueue[int] = WorkQueue(base_delay=1)
    assert len({by_chance.add_failed(key) for key in range(20)}) > 1


async def test_an_idle_bucket_saves_no_more_than_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, bucket = asyncio.get_running_loop(), TokenBucket(rate=100, burst=5)
    await bucket.take()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 3600)
    begin = time.monotonic()
    await asyncio.gather(*(bucket.take() for _ in range(15)))
    assert time.monotonic() - begin >= 0.09


async def test_a_bucket_fills_up_to_its_burst_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pauses = 0.0, []
    bucket = TokenBucket(rate=10, burst=2)

    async def sleep(seconds: float) -> None:
        pauses.append(round(seconds, 6))

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock)
    monkeypatch.setattr("mediatask_operator.workqueue.asyncio.sleep", sleep)
    for _ in range(3):
        await bucket.take()
    clock = 0.2  # one was lent: two more have come, so that one is there
    for _ in range(2):
        await bucket.take()
    clock = 1000.0
    for _ in range(3):
        await bucket.take()
    monkeypatch.undo()
    assert pauses == [0.1, 0.1, 0.1]


async def test_a_failed_key_waits_for_up_to_half_as_long_again() -> None:
    for jitter, pause in ((0.0, 2.0), (0.5, 2.5), (1.0, 3.0)):
        queue: WorkQueue[str] = WorkQueue(base_delay=2, max_delay=60, rng=lambda jitter=jitter: jitter)
        assert queue.add_failed("a") == pause
        assert queue.add_failed("a") == 2 * pause
        for _ in range(40):
            longest = queue.add_failed("a")
        assert longest == 30 * pause


async def test_no_delay_is_at_once_and_a_short_one_is_not() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0)
    queue.add_after("b", 0.01)
    assert len(queue) == 1
    assert [await queue.get() for _ in range(2)] == ["a", "b"]


async def test_a_failed_key_comes_again() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=0.001)
    queue.add_failed("a")
    assert len(queue) == 0
    assert await asyncio.wait_for(queue.get(), 10) == "a"


async def test_whoever_waits_gets_a_key_that_changed_while_it_was_at_work() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.done("a")
    assert await asyncio.wait_for(waiting, 10) == "a"
