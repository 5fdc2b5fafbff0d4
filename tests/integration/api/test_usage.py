"""What a project has used: from Redis and from Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_common.kube import TASKS
from mediatask_common.redisview import RedisView

from .conftest import World

# Task type, class, day of its end, GPU seconds.
ENDED = [
    ("test_prompt", "prompts", "2026-11-20", 1.5),
    ("test_prompt", "prompts", "2026-11-21", 2.0),
    ("process_audio", "sound", "2026-11-21", 10.25),
    ("process_audio", "sound", "2026-10-01", 99.0),
]
WHEN = {"from": "2026-11-01", "to": "2026-11-30"}
AUDIO = {"task_type": "process_audio", "task_data": {"text": "x"}}


async def ended(world: World, task_type: str, class_name: str, day: str, seconds: float, **more: Any) -> str:
    task_id = await world.submit(**(AUDIO if task_type == "process_audio" else {}), **more)
    status = {"phase": "completed", "className": class_name, "cost": {"gpuSeconds": seconds}}
    await world.set_status(task_id, **status, completedAt=f"{day}T23:59:59Z")
    return task_id


async def usage(world: World, **query: Any) -> Any:
    answer = await world.api.get("/projects/film/usage", params={**WHEN, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def told(view: RedisView, world: World) -> None:
    async for task in world.kube.list_all(TASKS, world.namespace):
        await view.put(task)
    await view.renew_freshness()


@pytest.mark.parametrize("store", ["redis", "kubernetes"])
async def test_usage_is_added_up(world: World, open_world: Any, redis_url: str, view: RedisView, store: str) -> None:
    for one in ENDED:
        await ended(world, *one)
    await ended(world, "test_prompt", "prompts", "2026-11-20", 1000, project_id="other")
    await world.submit()
    await told(view, world)
    await told(view, world)
    async with open_world(redis_url=redis_url if store == "redis" else None) as asked:
        by_day = await usage(asked)
        assert by_day["items"] == [
            {"day": "2026-11-20", "tasks": 1, "gpu_seconds": 1.5, "cost": None},
            {"day": "2026-11-21", "tasks": 2, "gpu_seconds": 12.25, "cost": None},
        ]
        assert by_day["total"] == {"tasks": 3, "gpu_seconds": 13.75, "cost": None}
        assert (by_day["project_id"], by_day["from"], by_day["to"]) == ("film", "2026-11-01", "2026-11-30")
        by_class = (await usage(asked, group_by="class"))["items"]
        assert [(item["class"], item["gpu_seconds"]) for item in by_class] == [("sound", 10.25), ("prompts", 3.5)]
        by_type = (await usage(asked, group_by="task_type"))["items"]
        assert [(item["task_type"], item["tasks"]) for item in by_type] == [("process_audio", 1), ("test_prompt", 2)]
        other = await asked.caller("other")
        assert (await other.get("/projects/film/usage")).status_code == 404


async def test_a_retried_task_counts_once_and_a_deleted_one_goes_on_counting(
    world: World, open_world: Any, redis_url: str, view: RedisView
) -> None:
    task_id = await ended(world, *ENDED[0])
    await told(view, world)
    await world.set_status(task_id, phase="processing", completedAt=None)
    await told(view, world)
    await world.set_status(task_id, phase="failed", completedAt="2026-11-22T00:00:00Z", cost={"gpuSeconds": 4.0})
    await told(view, world)
    last = await world.task(task_id)
    last["metadata"]["resourceVersion"] = "99999999"
    await view.remove(last)
    async with open_world(redis_url=redis_url) as asked:
        assert (await usage(asked))["items"] == [{"day": "2026-11-22", "tasks": 1, "gpu_seconds": 4.0, "cost": None}]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-02", "to": "2026-11-01"},
        {"from": "2025-01-01", "to": "2026-11-01"},
        *({"from": "yesterday"}, {"to": "2026-02-30"}, {"group_by": "user"}, {"since": "2026-01-01"}),
        *({"to": "0"}, {"to": "20261101"}, {"from": "2026-11-01T00:00:00"}),
    ],
)
async def test_faulty_queries_are_refused(world: World, query: dict[str, str]) -> None:
    assert (await world.api.get("/projects/film/usage", params=query)).status_code == 400


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_the_ends_of_the_calendar_are_days(world: World, day: str) -> None:
    assert (await world.api.get("/projects/film/usage", params={"to": day})).json()["items"] == []
