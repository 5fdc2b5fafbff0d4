"""Many tasks in one request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediatask_common.kube import TASKS, KubeError
from mediatask_crds.names import ANNOTATION_IDEMPOTENCY_ANSWER

from .conftest import PROMPT, World

INVALID = {**PROMPT, "task_data": {}}
FOREIGN = {**PROMPT, "project_id": "other"}


async def names(world: World) -> set[str]:
    return {task["metadata"]["name"] async for task in world.kube.list_all(TASKS, world.namespace)}


async def batch(world: World, *tasks: Any, caller: Any = None, **options: Any) -> Any:
    return await (caller or world.api).post("/tasks/batch", json={"tasks": list(tasks), **options})


async def test_each_task_has_a_result_of_its_own(world: World) -> None:
    caller = await world.caller("film")
    keyed = {**PROMPT, "idempotency_key": "k"}
    answer = await batch(world, PROMPT, INVALID, FOREIGN, keyed, keyed, {**keyed, "priority": 1}, "x", caller=caller)
    assert answer.status_code == 400, "a task is an object"
    answer = await batch(world, PROMPT, INVALID, FOREIGN, keyed, keyed, {**keyed, "priority": 1}, caller=caller)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["index"] for result in results] == list(range(6))
    statuses = [result["status"] for result in results]
    assert (statuses[:3], sorted(statuses[3:])) == ([202, 400, 403], [202, 202, 422])
    assert results[1]["error"]["errors"][0]["loc"][:2] == ["body", "task_data"]
    assert results[2]["error"]["type"] == "urn:mediatask:problem:project-not-allowed"
    accepted = [result["task"]["task_id"] for result in results if "task" in result]
    assert len(set(accepted)) == 2
    assert await names(world) == set(accepted)


async def test_a_key_is_the_same_in_a_batch_and_in_a_submit(world: World) -> None:
    alone = await world.api.post("/tasks/submit", json=PROMPT, headers={"Idempotency-Key": "k"})
    (result,) = (await batch(world, {**PROMPT, "idempotency_key": "k"})).json()["results"]
    assert result["task"] == alone.json()
    # As an earlier version, which knew no cost, has answered it.
    old = {key: value for key, value in alone.json().items() if key != "estimated_cost"}
    annotations = {ANNOTATION_IDEMPOTENCY_ANSWER: json.dumps(old)}
    await world.kube.patch(TASKS, old["task_id"], {"metadata": {"annotations": annotations}}, world.namespace)
    (result,) = (await batch(world, {**PROMPT, "idempotency_key": "k"})).json()["results"]
    assert result["task"] == old


@pytest.mark.parametrize(("wrong", "status"), [(INVALID, 400), (FOREIGN, 403)])
async def test_an_atomic_batch_with_one_faulty_task_makes_none(world: World, wrong: Any, status: int) -> None:
    answer = await batch(world, PROMPT, PROMPT, wrong, atomic=True, caller=await world.caller("film"))
    assert answer.status_code == status
    assert [error["loc"][:3] for error in answer.json()["errors"]] == [["body", "tasks", 2]]
    assert await names(world) == set()


async def test_an_atomic_batch_that_fails_halfway_leaves_what_was_there_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = {**PROMPT, "idempotency_key": "k"}
    before = (await batch(world, keyed)).json()["results"][0]["task"]["task_id"]
    create, calls = world.services.kube.create, 0

    async def failing(*given: Any, **params: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KubeError(0, "Unreachable", "gone")
        return await create(*given, **params)

    monkeypatch.setattr(world.services.kube, "create", failing)
    answer = await batch(world, keyed, *[PROMPT] * 9, atomic=True)
    assert (answer.status_code, calls) == (503, 10)
    assert answer.headers["retry-after"]
    assert await names(world) == {before}
    assert (await batch(world, keyed, PROMPT, atomic=True)).status_code == 200
    assert len(await names(world)) == 2


async def test_an_atomic_batch_whose_key_was_used_otherwise_makes_none(world: World) -> None:
    keyed = {**PROMPT, "idempotency_key": "k"}
    await batch(world, keyed)
    answer = await batch(world, PROMPT, {**keyed, "priority": 0}, atomic=True)
    assert answer.status_code == 422
    assert len(await names(world)) == 1


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"tasks": []}, {"tasks": {}}, {"tasks": [PROMPT] * 101}, {"tasks": [PROMPT], "atomic": 1}),
        *({"tasks": [PROMPT], "more": 1}, {"tasks": [None]}),
    ],
)
async def test_faulty_batches_are_refused(world: World, body: Any) -> None:
    assert (await world.api.post("/tasks/batch", json=body)).status_code == 400
    assert await names(world) == set()


@pytest.mark.parametrize("key", ["", "x" * 256, 5, ["k"], "a\nb"])
async def test_faulty_keys_are_refused_task_by_task(world: World, key: Any) -> None:
    (result,) = (await batch(world, {**PROMPT, "idempotency_key": key})).json()["results"]
    assert result["status"] == 400


async def test_the_size_of_a_batch_is_bounded(world: World) -> None:
    large = {**PROMPT, "task_data": {"prompt_template": "x" * 20_000}}
    assert (await batch(world, *[large] * 30)).status_code == 200, "more than a single submit may have"
    assert (await batch(world, *[large] * 60)).status_code == 413
