"""What a project has used and is charged: from Redis and from Kubernetes."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from mediatask_api.usage import routes
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
NOTHING: dict[str, Any] = {"cost": None, "costs": []}
AUDIO = {"task_type": "process_audio", "task_data": {"text": "x"}}


async def ended(
    world: World, task_type: str, class_name: str, day: str, seconds: float, charged: str = "", **more: Any
) -> str:
    task_id = await world.submit(**(AUDIO if task_type == "process_audio" else {}), **more)
    amount, _, currency = charged.partition(" ")
    cost = {"gpuSeconds": seconds, **({"amount": amount, "currency": currency} if charged else {})}
    status = {"phase": "completed", "className": class_name, "cost": cost, "attempt": 1}
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
            {"day": "2026-11-20", "tasks": 1, "gpu_seconds": 1.5, **NOTHING},
            {"day": "2026-11-21", "tasks": 2, "gpu_seconds": 12.25, **NOTHING},
        ]
        assert by_day["total"] == {"tasks": 3, "gpu_seconds": 13.75, **NOTHING}
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
        assert (await usage(asked))["items"] == [{"day": "2026-11-22", "tasks": 1, "gpu_seconds": 4.0, **NOTHING}]


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


@pytest.mark.parametrize("store", ["redis", "kubernetes"])
async def test_costs_are_added_up_by_currency_exactly(
    world: World, open_world: Any, redis_url: str, view: RedisView, store: str
) -> None:
    for amount in ("0.1 EUR", "0.2 EUR", "0.000001 EUR"):
        await ended(world, "test_prompt", "prompts", "2026-11-20", 1, amount)
    await ended(world, "process_audio", "sound", "2026-11-20", 1, "7 JPY")
    await ended(world, "test_prompt", "prompts", "2026-11-21", 1)
    await told(view, world)
    await told(view, world)
    async with open_world(redis_url=redis_url if store == "redis" else None) as asked:
        euros = {"amount": "0.300001", "currency": "EUR"}
        yen = {"amount": "7", "currency": "JPY"}
        by_day = await usage(asked)
        assert [(item["cost"], item["costs"]) for item in by_day["items"]] == [(None, [euros, yen]), (None, [])]
        assert by_day["total"]["costs"] == [euros, yen]
        by_type = (await usage(asked, group_by="task_type"))["items"]
        assert {item["task_type"]: (item["cost"], item["costs"]) for item in by_type} == {
            "test_prompt": (0.300001, [euros]), "process_audio": (7.0, [yen]),
        }  # fmt: skip


async def test_a_task_that_is_retried_is_charged_what_it_costs_in_the_end(
    world: World, open_world: Any, redis_url: str, view: RedisView
) -> None:
    task_id = await ended(world, "test_prompt", "prompts", "2026-11-20", 1, "0.5 EUR")
    await told(view, world)
    await world.set_status(task_id, phase="processing", completedAt=None)
    await told(view, world)
    cost = {"gpuSeconds": 2.0, "amount": "0.75", "currency": "EUR"}
    await world.set_status(task_id, phase="failed", completedAt="2026-11-22T00:00:00Z", cost=cost)
    await told(view, world)
    async with open_world(redis_url=redis_url) as asked:
        assert (await usage(asked))["total"]["cost"] == 0.75


# ---- records


async def records(world: World, **query: Any) -> Any:
    answer = await world.api.get("/projects/film/usage/records", params={**WHEN, **query})
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("store", ["redis", "kubernetes"])
async def test_cost_records_name_every_ended_task_of_the_days(
    world: World, open_world: Any, redis_url: str, view: RedisView, store: str
) -> None:
    charged = await ended(world, "test_prompt", "prompts", "2026-11-20", 1.5, "0.25 EUR")
    free = await ended(world, "process_audio", "sound", "2026-11-21", 2)
    await ended(world, "test_prompt", "prompts", "2026-12-01", 9, "9 EUR")
    await ended(world, "test_prompt", "prompts", "2026-11-20", 9, "9 EUR", project_id="other")
    await world.submit()
    await told(view, world)
    async with open_world(redis_url=redis_url if store == "redis" else None) as asked:
        answer = (await records(asked)).json()
        assert answer["next_cursor"] is None
        assert {record["task_id"]: record for record in answer["records"]} == {
            charged: {
                "task_id": charged, "task_type": "test_prompt", "class": "prompts", "status": "completed",
                "completed_at": "2026-11-20T23:59:59Z", "attempts": 1, "gpu_seconds": 1.5, "cpu_seconds": 0.0,
                "amount": "0.25", "currency": "EUR",
            },
            free: {
                "task_id": free, "task_type": "process_audio", "class": "sound", "status": "completed",
                "completed_at": "2026-11-21T23:59:59Z", "attempts": 1, "gpu_seconds": 2.0, "cpu_seconds": 0.0,
                "amount": None, "currency": None,
            },
        }  # fmt: skip
        as_csv = await records(asked, format="csv")
        assert as_csv.headers["content-type"].startswith("text/csv")
        head, *lines = list(csv.reader(as_csv.text.splitlines()))
        assert head[:3] == ["task_id", "task_type", "class"]
        assert sorted(line[0] for line in lines) == sorted([charged, free])
        negotiated = await asked.api.get(
            "/projects/film/usage/records", params=WHEN, headers={"Accept": "text/csv"}
        )  # fmt: skip
        assert negotiated.text == as_csv.text
        other = await asked.caller("other")
        assert (await other.get("/projects/film/usage/records")).status_code == 404
        viewer = await asked.caller("film", scopes=["tasks:read"])
        assert (await viewer.get("/projects/film/usage/records")).status_code == 403


async def test_cost_records_go_on_where_an_answer_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "TASKS_AT_ONCE", 2)
    made = {await ended(world, "test_prompt", "prompts", "2026-11-20", 1, "0.1 EUR") for _ in range(5)}
    found, cursor = [], {}
    for _ in range(3):
        answer = (await records(world, **cursor)).json()
        found += [record["task_id"] for record in answer["records"]]
        cursor = {"cursor": answer["next_cursor"]}
    assert (cursor["cursor"], len(found), set(found)) == (None, 5, made)
    first = await records(world, format="csv")
    link = first.headers["link"]
    following = link.partition("<")[2].partition(">")[0]
    second = await world.api.get(f"/projects/film/usage/records{following}")
    assert (len(first.text.splitlines()), len(second.text.splitlines())) == (3, 2), "one heading"


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"format": "xlsx"}, {"from": "2026-11-02", "to": "2026-11-01"}])
async def test_faulty_queries_for_records_are_refused(world: World, query: dict[str, str]) -> None:
    assert (await world.api.get("/projects/film/usage/records", params=query)).status_code == 400
