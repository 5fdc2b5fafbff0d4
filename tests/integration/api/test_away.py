"""Redis or Kubernetes away: what still works, and how what does not is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest
from redis.asyncio import Redis

from mediatask_common.kube import Object
from mediatask_common.redisview import RedisView
from mediatask_crds.names import TOKEN_AUDIENCE
from support.front import until
from support.processes import free_port
from support.proxy import kubernetes_proxy

from .conftest import PROMPT, World


async def use_everything(world: World) -> None:
    """Each public call once; none may fail."""
    task_id = await world.submit()
    assert (await world.api.get(f"/tasks/{task_id}/status")).json()["status"] == "queued"
    assert (await world.api.get("/projects/film/tasks")).json()["total"] == 1
    assert (await world.api.get("/stats")).json()["total"] == 1
    assert (await world.api.get("/workers/status")).status_code == 200
    assert (await world.api.get("/task-types")).status_code == 200
    await world.set_status(task_id, phase="processing", attempt=1)
    token = await world.token(await world.pod(task_id))
    assert (await world.report(token, task_id, "progress", attempt=1, progress=0.5, step="x")).status_code == 200
    assert (await world.api.delete(f"/tasks/{task_id}/cancel")).status_code in (200, 202)
    await world.set_status(task_id, phase="cancelled")
    assert (await world.api.get(f"/tasks/{task_id}/status")).json()["status"] == "cancelled"
    assert (await world.api.post(f"/tasks/{task_id}/retry")).status_code == 202


async def test_everything_works_without_redis(world: World) -> None:
    await use_everything(world)


async def test_everything_works_while_redis_refuses_connections(open_world: Any) -> None:
    async with open_world(redis_url=f"redis://127.0.0.1:{free_port()}/0") as world:
        await use_everything(world)
        health = await world.api.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["checks"]["redis"]["status"] == "failed"


@pytest.fixture
async def silent_redis() -> AsyncIterator[str]:
    """Takes connections and says nothing."""
    server = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()


async def test_a_silent_redis_costs_one_request_a_second_and_the_others_nothing(
    open_world: Any, silent_redis: str
) -> None:
    async with open_world(redis_url=silent_redis) as world:
        await world.submit()
        start = time.monotonic()
        for _ in range(10):
            assert (await world.api.get("/projects/film/tasks")).status_code == 200
        assert time.monotonic() - start < 5


async def test_a_view_that_nobody_keeps_current_is_not_read(open_world: Any, redis_url: str, view: RedisView) -> None:
    async with open_world(redis_url=redis_url) as world:
        task_id = await world.submit()
        await world.set_status(task_id, phase="completed")  # no operator tells Redis
        assert (await world.api.get(f"/tasks/{task_id}/status")).json()["status"] == "completed"
        assert (await world.api.get("/projects/film/tasks", params={"status": "completed"})).json()["total"] == 1


async def test_a_new_task_is_found_at_once_in_a_current_view(open_world: Any, redis_url: str, view: RedisView) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        task_id = await world.submit()
        listed = (await world.api.get("/projects/film/tasks")).json()
        assert [task["task_id"] for task in listed["tasks"]] == [task_id], "its maker told the view itself"


@pytest.mark.parametrize("since", ["the start", "later"])
async def test_kubernetes_away_is_503_with_the_time_to_come_back(
    open_world: Any, kubeconfig: Path, tmp_path: Path, since: str
) -> None:
    async with AsyncExitStack() as stack:
        path, proxy = await stack.enter_async_context(kubernetes_proxy(kubeconfig, tmp_path))
        if since == "the start":
            proxy.cut()
        world = await stack.enter_async_context(open_world(kubeconfig=path))
        proxy.cut()
        for method, path in (
            ("POST", "/tasks/submit"),
            ("GET", "/tasks/x/status"),
            ("DELETE", "/tasks/x/cancel"),
            ("POST", "/tasks/x/retry"),
            ("GET", "/projects/film/tasks"),
            ("GET", "/workers/status"),
            ("GET", "/task-types"),
            ("GET", "/stats"),
        ):
            answer = await world.api.request(method, path, json=PROMPT if path.endswith("submit") else None)
            assert answer.status_code == 503, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
        # Looks like a pod's: only of such a token the API server is asked.
        claims = {"sub": "system:serviceaccount:x:default", "aud": [TOKEN_AUDIENCE]}
        token = jwt.encode(claims, "k" * 32, "HS256")
        reported = await world.report(token, "x", "progress", attempt=1, progress=0.1, step="x")
        assert reported.status_code == 503, "a job tries again"
        health = await world.api.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert (await world.api.get("/health/ready")).status_code == 503
        assert (await world.api.get("/health/live")).status_code == 200


async def test_an_odd_value_in_redis_stops_no_request(open_world: Any, redis_url: str, view: RedisView) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        task_id = await world.submit()
        await world.set_status(task_id, phase="processing", attempt=1)
        await make_odd(redis_url, world)
        # For each of them Redis is asked first: it counts as away after some failures only.
        assert (await world.api.get(f"/tasks/{task_id}/status")).json()["status"] == "processing"
        listed = await world.api.get("/projects/film/tasks")
        assert [task["task_id"] for task in listed.json()["tasks"]] == [task_id]
        answer = await world.api.post("/tasks/submit", json=PROMPT)
        assert (answer.status_code, answer.json()["estimated_duration"] > 0) == (202, True)
        token = await world.token(await world.pod(task_id))
        assert (await world.report(token, task_id, "progress", attempt=1, progress=0.5, step="x")).status_code == 200
        assert (await world.api.get("/health")).json()["checks"]["redis"]["status"] == "ok"


async def make_odd(redis_url: str, world: World) -> None:
    """What Redis knows of the namespace's tasks is no JSON any more, and a run time is no number."""
    redis = Redis.from_url(redis_url)
    async for key in redis.scan_iter(f"mt:{{{world.namespace}}}:task:*"):
        await redis.hset(key, "doc", b"{" * 100_000)
    async for key in redis.scan_iter(f"mt:{{{world.namespace}}}:durations:*"):
        await redis.delete(key)
    await redis.lpush(f"mt:{{{world.namespace}}}:durations:test_prompt", "soon")
    await redis.aclose()


async def test_one_failure_is_no_reason_to_leave_redis(
    open_world: Any, redis_url: str, view: RedisView, monkeypatch: pytest.MonkeyPatch
) -> None:
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as world:
        task_id = await world.submit()
        await make_odd(redis_url, world)
        assert (await world.api.get(f"/tasks/{task_id}/status")).status_code == 200, "by Kubernetes"
        await view.put(await world.set_status(task_id, phase="failed"))

        async def no_list(*_: object, **__: object) -> None:
            raise AssertionError("Kubernetes was asked")

        monkeypatch.setattr(world.services.kube, "list", no_list)
        listed = await world.api.get("/projects/film/tasks")
        assert [task["status"] for task in listed.json()["tasks"]] == ["failed"]


async def test_many_lists_without_redis_are_few_of_kubernetes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = await world.submit()
    asked = 0
    read = world.services.kube.list

    async def counted(*args: Any, **params: Any) -> Object:
        nonlocal asked
        asked += 1
        return await read(*args, **params)

    monkeypatch.setattr(world.services.kube, "list", counted)
    queries: list[dict[str, Any]] = [{}, {"limit": 1}, {"page": 2}]
    answers = await asyncio.gather(
        *(world.api.get("/projects/film/tasks", params=queries[number % 3]) for number in range(60))
    )
    assert [len(answer.json()["tasks"]) for answer in answers] == [1, 1, 0] * 20
    assert asked <= 12, "one for each time that others came while one ran, which depends on the machine"
    newer = await world.submit()
    listed = await world.api.get("/projects/film/tasks")
    assert {task["task_id"] for task in listed.json()["tasks"]} == {task_id, newer}


async def test_workers_are_told_until_the_news_is_old(
    open_world: Any, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is tried again and again meanwhile, which makes the news no newer."""
    monkeypatch.setattr("mediatask_api.platform.machines.STALE_SECONDS", 2.0)
    monkeypatch.setattr("mediatask_api.platform.machines.MOST_PAUSE_SECONDS", 0.2)

    async with AsyncExitStack() as stack:
        path, proxy = await stack.enter_async_context(kubernetes_proxy(kubeconfig, tmp_path))
        world = await stack.enter_async_context(open_world(kubeconfig=path))

        async def told() -> bool:
            return (await world.api.get("/workers/status")).status_code == 200

        async def refused() -> bool:
            return not await told()

        await until(told)
        proxy.cut()
        assert await told()
        await until(refused)
        await proxy.listen()
        await until(told)
