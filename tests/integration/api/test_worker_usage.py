"""Memory and utilization of workers: what pods report of themselves, on any replica, and what they cannot say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from mediatask_common.redisview import RedisView
from mediatask_crds.podcontract import AttemptReport
from support.front import until

from .conftest import World

REPORT: dict[str, Any] = {"attempt": 1, "progress": 0.5, "step": "rendering"}
USAGE: dict[str, Any] = {
    "memory_kind": "gpu", "memory_used": 12 * 2**30, "memory_total": 80 * 2**30, "gpu_utilization": 0.85,
}  # fmt: skip
FIGURES = ("memory_usage", "memory_total", "memory_kind", "gpu_utilization", "gpu_utilization_source")
SHOWN = (12 * 2**30, 80 * 2**30, "gpu", 0.85, "measured")
NOTHING = (None, None, None, 0.0, "assigned")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


class Worker:
    """A pod of a running task."""

    def __init__(self, world: World, task_id: str, uid: str, token: str) -> None:
        self.task_id, self.uid, self.token = task_id, uid, token
        self._world = world

    async def report(self, world: World | None = None, **usage: Any) -> httpx.Response:
        more = {"usage": USAGE | usage} if usage else {}
        return await (world or self._world).report(self.token, self.task_id, "progress", **REPORT, **more)

    async def shown(self, api: httpx.AsyncClient | None = None) -> tuple[Any, ...]:
        """Its figures, as a caller sees them."""
        answer = await (api or self._world.api).get("/workers/status")
        assert answer.status_code == 200, answer.text
        name = f"worker-{self.uid[:8]}"
        found = [worker for worker in answer.json()["workers"] if worker["worker_id"] == name]
        return tuple(found[0][figure] for figure in FIGURES) if found else ()

    async def becomes(self, figures: tuple[Any, ...], api: httpx.AsyncClient | None = None) -> None:
        async def so() -> bool:
            return await self.shown(api) == figures

        await until(so)


async def worker(world: World, project: str = "film") -> Worker:
    task_id = await world.submit(project_id=project)
    await world.set_status(task_id, phase="processing", attempt=1)
    pod = await world.pod(task_id, project=project)
    made = Worker(world, task_id, pod["metadata"]["uid"], await world.token(pod))
    await made.becomes(NOTHING)  # once the watch has it
    return made


async def test_a_pod_says_what_it_uses_and_its_project_sees_it(world: World) -> None:
    one, two = await worker(world), await worker(world)
    assert (await one.report(gpu_utilization=0.85)).status_code == 200
    assert await one.shown() == SHOWN
    assert await two.shown() == NOTHING, "the other pod has said nothing"
    mine, other = await world.caller("film"), await world.caller("other")
    assert await one.shown(mine) == SHOWN
    assert await one.shown(other) == NOTHING
    seen = (await other.get("/workers/status")).text
    assert str(USAGE["memory_used"]) not in seen


async def test_a_pod_speaks_for_itself_alone(world: World) -> None:
    one, two = await worker(world), await worker(world)
    await one.report(memory_used=1)
    for foreign in (two.task_id, "no-such-task"):
        refused = await world.report(one.token, foreign, "progress", **REPORT, usage=USAGE)
        assert refused.status_code == 403
    assert (await world.report(one.token, one.task_id, "progress", **REPORT | {"attempt": 2}, usage=USAGE)).is_error
    named = await world.report(one.token, one.task_id, "progress", **REPORT, usage={**USAGE, "pod": two.uid})
    assert named.status_code == 400
    assert (await one.shown())[0] == 1
    assert await two.shown() == NOTHING


async def test_a_pod_that_says_no_usage_is_heard(world: World) -> None:
    one = await worker(world)
    AttemptReport.model_validate(REPORT)  # all that an older job says
    assert (await one.report()).status_code == 200
    assert await one.shown() == NOTHING
    await one.report(memory_used=5)
    await one.report()
    assert (await one.shown())[0] == 5, "what it said before still counts"


NONSENSE = [
    '{"memory_kind": "gpu", "memory_used": NaN}',
    '{"memory_kind": "gpu", "memory_used": 1e400}',
    '{"memory_kind": "gpu", "memory_used": -1}',
    '{"memory_kind": "gpu", "memory_used": 1125899906842625}',
    '{"memory_kind": "gpu", "memory_used": %s}' % ("9" * 5000),
    '{"memory_kind": "gpu", "memory_used": 1.5}',
    '{"memory_kind": "gpu", "memory_used": "7"}',
    '{"memory_kind": "gpu", "memory_used": true}',
    '{"memory_kind": "gpu", "memory_used": 7, "memory_used": 8}',
    '{"memory_kind": "gpu", "memory_used": 7, "gpu_utilization": Infinity}',
    '{"memory_kind": "gpu", "memory_used": 7, "gpu_utilization": 1.0000001}',
    '{"memory_kind": "<script>", "memory_used": 7}',
    '{"memory_kind": "gpu"}',
    "[7]",
    '"7"',
]


async def test_nonsense_is_refused_and_shown_to_nobody(world: World) -> None:
    one = await worker(world)
    for usage in NONSENSE:
        answer = await world.internal.post(
            f"/internal/v1/tasks/{one.task_id}/progress",
            content=f'{{"attempt": 1, "progress": 0.5, "step": "x", "usage": {usage}}}',
            headers={"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"},
        )
        assert answer.status_code == 400, usage[:100]
    assert await one.shown() == NOTHING


@pytest.mark.parametrize("with_redis", [False, True])
async def test_a_flood_is_one_report(
    open_world: Callable[..., Any], redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch, with_redis: bool
) -> None:
    monkeypatch.setattr("mediatask_api.pods.usages.INTERVAL_SECONDS", 0.0)
    async with open_world(**{"redis_url": redis_url} if with_redis else {}) as world:
        one = await worker(world)
        key = f"mt:{{{world.namespace}}}:worker:{one.uid}"

        async def taken() -> bool:
            await one.report(memory_used=1)
            return not with_redis or bool(await redis.exists(key))

        await until(taken)
        monkeypatch.setattr("mediatask_api.pods.usages.INTERVAL_SECONDS", 3600)
        answers = await asyncio.gather(*(one.report(memory_used=size) for size in range(2, 60)))
        assert {answer.status_code for answer in answers} == {200}
        assert (await one.shown())[0] == 1
        if with_redis:
            assert b'"memory_used":1,' in (await redis.get(key) or b"")


async def test_what_was_said_long_ago_is_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await worker(world)
    await one.report(memory_used=1)
    assert (await one.shown())[0] == 1
    monkeypatch.setattr("mediatask_api.pods.usages.SHOWN_SECONDS", 0.0)
    assert await one.shown() == NOTHING


async def test_another_replica_shows_it_while_redis_keeps_it(
    open_world: Callable[..., Any], redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediatask_api.pods.usages.INTERVAL_SECONDS", 0.0)
    async with open_world(redis_url=redis_url) as here, open_world(redis_url=redis_url) as there:
        one = await worker(here)
        await one.becomes(NOTHING, there.api)

        async def travels(memory: int, told: World, asked: World) -> None:
            async def so() -> bool:
                # Said again as long as need be: neither side waits for a Redis that is slow for a moment.
                await one.report(told, memory_used=memory)
                return bool((await one.shown(asked.api))[0] == memory)

            await until(so)

        await travels(1, here, there)
        await travels(2, there, here)
        await travels(3, here, there)
        key = f"mt:{{{here.namespace}}}:worker:{one.uid}"
        assert 0 < await redis.ttl(key) <= 30
        await redis.delete(key)
        assert (await one.shown(here.api))[0] == 3, "what reached a replica it knows without Redis"


async def test_what_no_replica_wrote_is_passed_over(
    open_world: Callable[..., Any], redis_url: str, redis: Redis, view: RedisView
) -> None:
    async with open_world(redis_url=redis_url) as world:
        one, two = await worker(world), await worker(world)
        sound = b'{"at": "2026-11-21T10:30:00Z", "usage": {"memory_kind": "gpu", "memory_used": 3, "news": 1}, "x": 1}'
        await view.put_worker(two.uid, sound, 600)
        known = (3, None, "gpu", 0.0, "assigned")
        odd = [
            b"", b"\xff", b"[]", b"{}", b'{"at": 1e400, "usage": {}}', b"x" * 500_000,
            sound.replace(b": 3", b": -3"), sound.replace(b"gpu", b"tape"),
            sound.replace(b"2026-11-21T10:30:00Z", b"soon"),
        ]  # fmt: skip
        for content in odd:
            await view.put_worker(one.uid, content, 30)
            await two.becomes(known)  # Redis is asked, and also understood where a newer version has more to say
            assert await one.shown() == NOTHING, content[:50]
        await redis.delete(f"mt:{{{world.namespace}}}:worker:{one.uid}")
        await redis.rpush(f"mt:{{{world.namespace}}}:worker:{one.uid}", "a list")
        await two.becomes(known)
        assert await one.shown() == NOTHING
