"""Effects beside the loop: each once at a time, none held up by others, none lost, no failure unseen."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import Delivery, Outcome, Proved, StoreAway, Task
from mediatask_operator.deciding.plan import ReadResult, SendWebhook
from mediatask_operator.effects.base import NO_ROOM_SECONDS, Effects
from mediatask_operator.effects.pool import EffectPool
from mediatask_operator.effects.result import ProveResult
from mediatask_operator.metrics import Metrics
from mediatask_operator.objects import Key
from support.taskworld import a_task

ENDED = Ended("Succeeded", "", success=True)


async def until(holds: Callable[[], Any]) -> None:
    """Let the loop go on until it holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def settled() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


class Work:
    """Effects that end when they are told to."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.running: set[str] = set()
        self._ends: dict[str, asyncio.Event] = {}

    def run(self, key: str) -> Callable[[], Any]:
        async def effect() -> None:
            self.started.append(key)
            self.running.add(key)
            try:
                await self._ends.setdefault(key, asyncio.Event()).wait()
            finally:
                self.running.discard(key)

        return effect

    def end(self, key: str) -> None:
        self._ends.setdefault(key, asyncio.Event()).set()


async def test_a_lane_has_its_share_and_others_do_not_wait_for_it() -> None:
    pool, work = EffectPool(workers=4, per_lane=2), Work()
    for number in range(10):
        assert pool.submit(f"slow{number}", "slow", work.run(f"slow{number}"))
    for number in range(3):
        pool.submit(f"other{number}", f"other{number}", work.run(f"other{number}"))
    await until(lambda: len(work.running) == 4)
    assert work.running == {"slow0", "slow1", "other0", "other1"}
    work.end("other0")
    await until(lambda: "other2" in work.running)
    work.end("other1")
    work.end("other2")
    await until(lambda: work.running == {"slow0", "slow1"})
    work.end("slow1")
    await until(lambda: work.running == {"slow0", "slow2"})
    await pool.close()
    assert work.running == set()


async def test_lanes_take_turns() -> None:
    pool, work = EffectPool(workers=1, per_lane=1), Work()
    for lane in ("a", "b"):
        for number in range(3):
            pool.submit(f"{lane}{number}", lane, work.run(f"{lane}{number}"))
            work.end(f"{lane}{number}")
    await until(lambda: len(pool) == 0)
    assert work.started == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_a_lane_that_was_full_and_has_nothing_left_stands_in_nobodys_way() -> None:
    pool, work = EffectPool(workers=2, per_lane=1), Work()
    for key in "abc":
        pool.submit(key, key, work.run(key))
    for key, running in (("a", {"b", "c"}), ("b", {"c"}), ("c", set())):
        work.end(key)
        await until(lambda running=running: work.running == running)
    for key in "de":
        assert pool.submit(key, key, work.run(key))
    await until(lambda: work.running == {"d", "e"})
    await pool.close()


async def test_an_effect_that_has_run_after_a_pause_is_forgotten() -> None:
    pool, work = EffectPool(1, 1), Work()
    run = work.run("a")
    reference = weakref.ref(run)
    work.end("a")
    pool.submit("a", "lane", run, after=0.001)
    del run
    await until(lambda: work.started and not len(pool))
    await until(lambda: gc.collect() >= 0 and reference() is None)
    await pool.close()


async def test_a_short_pause_is_kept_and_a_lane_without_work_is_forgotten() -> None:
    pool, work = EffectPool(4, 4), Work()
    assert pool.submit("later", "a", work.run("later"), after=0.5)
    await settled()
    assert not work.started
    await until(lambda: work.started == ["later"])
    work.end("later")
    await until(lambda: not len(pool))
    await settled()
    assert not pool._lanes, "there is one for each receiver that ever was"


async def test_a_key_waits_or_runs_once() -> None:
    pool, work = EffectPool(workers=1, per_lane=1), Work()
    for _ in range(3):
        assert pool.submit("first", "", work.run("first"))
        assert pool.submit("second", "", work.run("second"))
        assert pool.submit("third", "", work.run("third"), after=0.01)
    work.end("first")
    work.end("second")
    work.end("third")
    await until(lambda: len(pool) == 0)
    assert work.started == ["first", "second", "third"]
    pool.submit("first", "", work.run("first"))
    await until(lambda: len(pool) == 0)
    assert work.started[3:] == ["first"]


async def test_an_effect_may_call_for_itself_again() -> None:
    pool = EffectPool(workers=1, per_lane=1)
    runs = 0

    async def effect() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            asyncio.get_running_loop().call_soon(lambda: pool.submit("key", "", effect))

    pool.submit("key", "", effect)
    await until(lambda: runs == 3)


async def test_a_full_pool_turns_away_and_a_full_lane_leaves_room_for_others() -> None:
    pool, work = EffectPool(workers=1, per_lane=1, capacity=8), Work()
    taken = [pool.submit(f"a{number}", "a", work.run(f"a{number}")) for number in range(5)]
    assert taken == [True, True, True, False, False]
    others = [pool.submit(lane, lane, work.run(lane)) for lane in "bcdefgh"]
    assert others == [True] * 5 + [False] * 2
    assert pool.submit("a1", "a", work.run("a1")), "it waits already"
    await pool.close()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_effect_runs_and_the_limits_hold(given: list[tuple[str, int]], workers: int, per_lane: int) -> None:
    async def play() -> None:
        pool = EffectPool(workers, per_lane)
        running: dict[str, int] = {}
        done: set[tuple[str, int]] = set()

        def run(item: tuple[str, int]) -> Callable[[], Any]:
            async def effect() -> None:
                running[item[0]] = running.get(item[0], 0) + 1
                assert running[item[0]] <= per_lane
                assert sum(running.values()) <= workers
                for _ in range(item[1]):
                    await asyncio.sleep(0)
                running[item[0]] -= 1
                done.add(item)

            return effect

        for item in given:
            pool.submit(f"{item}", item[0], run(item), after=0.001 * (item[1] % 2))
        await until(lambda: len(pool) == 0)
        assert done == set(given)
        await pool.close()

    asyncio.run(play())


# ---- effects of tasks


class Loop:
    """What a controller is told."""

    def __init__(self, task: Task | None) -> None:
        self.task = task
        self.outcomes: list[Outcome] = []
        self.again: list[tuple[Key, float]] = []
        self.metrics = Metrics()
        self.effects = Effects(
            lambda key, uid: self.task,
            lambda task, outcome: self.outcomes.append(outcome),
            lambda key, seconds: self.again.append((key, seconds)),
            self.metrics,
        )


class Webhooks:
    """Deliveries that end when they are told to."""

    name = "webhook"

    def __init__(self) -> None:
        self.work = Work()

    def lane(self, task: Task) -> str:
        return "receiver"

    async def run(self, task: Task, action: SendWebhook) -> Delivery:
        await self.work.run(action.webhook_id)()
        return Delivery(action.webhook_id, action.number, ok=True)

    def failed(self, action: SendWebhook, error: Exception) -> Delivery:
        raise AssertionError(error)


async def test_the_first_try_of_one_webhook_does_not_swallow_the_first_try_of_the_next() -> None:
    loop, webhooks = Loop(Task.parse(a_task())), Webhooks()
    assert loop.task is not None
    loop.effects.register(SendWebhook, webhooks, EffectPool(1, 1))
    for event in ("busy", "started", "failed"):
        loop.effects.submit(loop.task, SendWebhook(event, 1))
        webhooks.work.end(event)
    await until(lambda: len(loop.outcomes) == 3)
    assert webhooks.work.started == ["busy", "started", "failed"]


async def test_what_finds_no_room_comes_again() -> None:
    loop, webhooks = Loop(Task.parse(a_task())), Webhooks()
    assert loop.task is not None
    loop.effects.register(SendWebhook, webhooks, EffectPool(1, 1, capacity=1))
    loop.effects.submit(loop.task, SendWebhook("one", 1))
    loop.effects.submit(loop.task, SendWebhook("one", 1))
    assert loop.again == []
    loop.effects.submit(loop.task, SendWebhook("two", 1))
    [(key, seconds)] = loop.again
    assert key == loop.task.key
    assert NO_ROOM_SECONDS <= seconds <= 2 * NO_ROOM_SECONDS
    await loop.effects.close()


async def test_nothing_is_done_for_a_task_that_is_gone() -> None:
    loop, webhooks = Loop(None), Webhooks()
    pool = EffectPool(1, 1)
    loop.effects.register(SendWebhook, webhooks, pool)
    loop.effects.submit(Task.parse(a_task()), SendWebhook("one", 1))
    await until(lambda: len(pool) == 0)
    assert (webhooks.work.started, loop.outcomes) == ([], [])


class BrokenStore:
    """A store whose every answer is a surprise."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("attempt", [1, 2])
async def test_an_unforeseen_failure_is_counted_logged_and_tried_again(attempt: int) -> None:
    loop = Loop(Task.parse(a_task()))
    assert loop.task is not None
    loop.effects.register(ReadResult, ProveResult(BrokenStore()), EffectPool(1, 1))  # type: ignore[arg-type]
    with capture_logs() as logs:
        loop.effects.submit(loop.task, ReadResult(attempt, ENDED))
        await until(lambda: loop.outcomes)
    assert loop.outcomes == [Proved(attempt, StoreAway("the result could not be checked: RuntimeError"))]
    assert loop.metrics.registry.get_sample_value("mediatask_effect_failures_total", {"effect": "result"}) == 1
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("effect failed", "error")]


async def test_a_lane_that_is_at_work_keeps_its_limit() -> None:
    pool, work = EffectPool(4, 2), Work()
    for key in ("a", "b"):
        pool.submit(key, "lane", work.run(key))
    await until(lambda: len(work.running) == 2)
    work.end("a")
    await until(lambda: len(work.running) == 1)
    await settled()
    for key in ("c", "d"):
        pool.submit(key, "lane", work.run(key))
    await settled()
    assert work.started == ["a", "b", "c"]
    await pool.close()


async def test_what_waits_for_its_time_does_not_start_after_the_end() -> None:
    pool, work, later = EffectPool(1, 1), Work(), asyncio.Event()
    pool.submit("a", "lane", work.run("a"), after=0.01)
    await pool.close()
    asyncio.get_running_loop().call_later(0.02, later.set)
    await later.wait()
    await settled()
    assert work.started == []


async def test_closing_stops_the_pools() -> None:
    task, pool, work = Task.parse(a_task()), EffectPool(1, 1), Work()
    effects = Loop(task).effects
    effects.register(SendWebhook, Webhooks(), pool)
    surprises: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
    for key in ("a", "b"):
        pool.submit(key, key, work.run(key))
    await until(lambda: work.running)
    await effects.close()
    await asyncio.sleep(0)
    assert (work.running, work.started, surprises) == (set(), ["a"], [])


def test_a_waiting_effect_keeps_no_whole_task() -> None:
    """Thousands may wait: what the pool keeps of each may not grow with the task."""

    async def play() -> None:
        task = Task.parse(a_task(metadata={"a": "x" * 10_000}))
        pool = EffectPool(1, 1)
        effects = Loop(task).effects
        effects.register(SendWebhook, Webhooks(), pool)
        effects.submit(dataclasses.replace(task), SendWebhook("busy", 1))
        waiting = dataclasses.replace(task, uid="another")
        effects.submit(waiting, SendWebhook("waits", 1))
        gc.collect()
        assert not [held for held in gc.get_referrers(waiting) if not hasattr(held, "f_code")]
        await effects.close()

    asyncio.run(play())
