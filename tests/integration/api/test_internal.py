"""What Job pods may say, and what is refused: strangers, late attempts, repetitions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from mediatask_common.kube import PODS, TASKS, Object
from mediatask_common.store import context_key
from support.front import until

from .conftest import World

CONTENT = b"all the pixels"
SHA = hashlib.sha256(CONTENT).hexdigest()
WANTED = {"attempt": 1, "name": "out.json", "content_type": "application/json", "bytes": len(CONTENT), "sha256": SHA}


async def running(world: World, attempt: int = 1) -> tuple[str, str]:
    """A task whose attempt runs, and the token of its pod."""
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=attempt)
    return task_id, await world.token(await world.pod(task_id, attempt))


def result_of(key: str, **changes: Any) -> dict[str, Any]:
    artifact = {
        "name": "out.json", "key": key, "sha256": SHA, "bytes": len(CONTENT), "content_type": "application/json",
    }  # fmt: skip
    return {"artifacts": [{**artifact, **changes}], "metadata": {"tokens_used": 3}, "timings": {"infer": 1.0}}


async def upload(world: World, grant: dict[str, Any], content: bytes = CONTENT, **headers: str) -> httpx.Response:
    return await world.internal.put(grant["url"], content=content, headers={**grant["headers"], **headers})


async def test_a_job_uploads_and_publishes(world: World) -> None:
    task_id, token = await running(world)
    grant = (await world.report(token, task_id, "artifacts", **WANTED)).json()
    uid = (await world.task(task_id))["metadata"]["uid"]
    assert grant["key"] == f"projects/film/{uid}/1/out.json"
    assert (await upload(world, grant)).status_code == 201
    report = {"attempt": 1, "result": result_of(grant["key"])}
    answer = await world.report(token, task_id, "result", **report)
    assert answer.json() == {"result_key": f"projects/film/{uid}/result.json", "superseded": False}
    kept = orjson.loads(await world.services.store.read(answer.json()["result_key"]))
    assert kept == report
    again = await world.report(token, task_id, "result", **report)
    assert again.json()["superseded"] is False, "a repetition of the winner is still the winner"
    twin = await world.token(await world.pod(task_id, 1))
    late = await world.report(twin, task_id, "result", attempt=1, result={**report["result"], "metadata": {}})
    assert late.json() == {"result_key": answer.json()["result_key"], "superseded": True}
    await world.set_status(task_id, phase="completed")
    after = await world.report(twin, task_id, "result", **report)
    assert (after.status_code, after.json()["superseded"]) == (200, True)


async def test_uploads_are_what_was_announced_and_never_overwrite(world: World) -> None:
    task_id, token = await running(world)
    grant = (await world.report(token, task_id, "artifacts", **WANTED)).json()
    assert (await upload(world, grant, b"other pixels!!")).status_code == 400
    assert (await upload(world, grant, CONTENT + b"x")).status_code == 400
    assert (await upload(world, grant, **{"Content-Type": "text/html"})).status_code == 403
    assert (await upload(world, grant, **{"X-Content-Size": "99999999"})).status_code == 403
    assert (await upload(world, {**grant, "url": grant["url"].replace("out.json", "in.json")})).status_code == 403
    assert (await upload(world, grant)).status_code == 201
    assert (await upload(world, grant)).status_code == 412
    assert await world.services.store.read(grant["key"]) == CONTENT


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 102, "a\nb"])
async def test_file_names_stay_under_their_key(world: World, name: str) -> None:
    task_id, token = await running(world)
    assert (await world.report(token, task_id, "artifacts", **{**WANTED, "name": name})).status_code == 400


async def test_a_result_names_own_files_only(world: World) -> None:
    task_id, token = await running(world)
    uid = (await world.task(task_id))["metadata"]["uid"]
    for key in (
        f"projects/film/{uid}/2/out.json",
        "projects/other/u/1/out.json",
        f"projects/film/{uid}/1/../1/out.json",
    ):
        answer = await world.report(token, task_id, "result", attempt=1, result=result_of(key))
        assert answer.status_code == 400, key


ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("progress", {"attempt": 1, "progress": 0.5, "step": "rendering"}),
    ("artifacts", WANTED),
    ("inputs", {"attempt": 1, "refs": []}),
    ("result", {"attempt": 1, "result": {"artifacts": [], "metadata": {}}}),
]


@pytest.mark.parametrize(("route", "body"), ROUTES)
async def test_who_may_report(world: World, route: str, body: dict[str, Any]) -> None:
    task_id, token = await running(world)
    other = await world.submit()
    await world.set_status(other, phase="processing", attempt=1)
    assert (await world.report(token, task_id, route, **body)).status_code == 200
    bare = await world.internal.post(f"/internal/v1/tasks/{task_id}/{route}", json=body)
    assert bare.status_code == 401
    assert (await world.report("not.a.token", task_id, route, **body)).status_code == 401
    pod = await world.pod(task_id)
    wrong_audience = await world.token(pod, "https://kubernetes.default.svc")
    assert (await world.report(wrong_audience, task_id, route, **body)).status_code == 401
    assert (await world.report(token, other, route, **body)).status_code == 403, "another task's pod"
    assert (await world.report(token, task_id, route, **{**body, "attempt": 2})).status_code == 403
    assert (await world.report(token, "no-such-task", route, **body)).status_code == 403
    assert (await world.report(token, task_id, route, **{**body, "extra": 1})).status_code == 400


async def test_a_pod_reads_the_data_of_its_task_and_no_other(world: World) -> None:
    long = {"prompt_template": "x", "test_parameters": {"text": "x" * 100_000, "n": 1}}
    task_id = await world.submit(task_data=long)
    await world.set_status(task_id, phase="processing", attempt=2)
    path, other = f"/internal/v1/tasks/{task_id}/data", await world.submit()

    async def read(path: str, pod: Object) -> httpx.Response:
        return await world.internal.get(path, headers={"Authorization": f"Bearer {await world.token(pod)}"})

    pod = await world.pod(task_id, 2)
    answer = await read(path, pod)
    assert (answer.status_code, answer.json()) == (200, long)
    assert (await world.internal.get(path)).status_code == 401
    assert (await read(f"/internal/v1/tasks/{other}/data", pod)).status_code == 403
    assert (await read(path, await world.pod(task_id, 1))).status_code == 409, "its attempt is over"
    await world.set_status(task_id, phase="completed")
    assert (await read(path, pod)).status_code == 409


async def test_a_pod_reads_what_the_brain_has_added_as_it_is_on_record(world: World) -> None:
    task_id = await world.submit(task_data={"prompt_template": "own"})
    uid = (await world.task(task_id))["metadata"]["uid"]
    key, content = context_key("film", uid), orjson.dumps({"version": 1, "data": {"prompt_template": "own, and more"}})
    digest = hashlib.sha256(content).hexdigest()
    path, pod = f"/internal/v1/tasks/{task_id}/data", await world.pod(task_id, 1)

    async def read(context: Object) -> httpx.Response:
        await world.set_status(task_id, phase="processing", attempt=1, context=context)
        return await world.internal.get(path, headers={"Authorization": f"Bearer {await world.token(pod)}"})

    assert (await read({"attempts": 1})).json() == {"prompt_template": "own"}
    assert (await read({"key": key, "sha256": digest})).status_code == 503, "never its own data instead"
    await world.services.store.create(key, content, "application/json")
    assert (await read({"key": key, "sha256": digest})).json() == {"prompt_template": "own, and more"}
    assert (await read({"key": key, "sha256": "0" * 64})).status_code == 500


async def task_of_the_same_name(world: World, task_id: str, elsewhere: str) -> World:
    """A task in another namespace, made without this API and running; the same world seen from there."""
    twin = replace(world, namespace=elsewhere)
    task = await world.task(task_id)
    meta = {"name": task_id, "labels": task["metadata"].get("labels", {})}
    await world.kube.create(TASKS, {**task, "metadata": meta, "status": {}}, elsewhere)
    await twin.set_status(task_id, phase="processing", attempt=1)
    return twin


async def test_pods_report_wherever_their_tasks_are(world: World, elsewhere: str) -> None:
    task_id, token = await running(world)
    twin = await task_of_the_same_name(world, task_id, elsewhere)
    other = await twin.token(await twin.pod(task_id))
    await world.report(other, task_id, "progress", attempt=1, progress=0.7, step="there")
    await world.report(token, task_id, "progress", attempt=1, progress=0.2, step="here")

    async def step(seen_from: World) -> str | None:
        step: str | None = (await seen_from.task(task_id))["status"].get("currentStep")
        return step

    async def written() -> bool:
        return (await step(world), await step(twin)) == ("here", "there")

    await until(written)
    grants = [(await world.report(each, task_id, "artifacts", **WANTED)).json()["key"] for each in (token, other)]
    uids = [(await each.task(task_id))["metadata"]["uid"] for each in (world, twin)]
    assert grants == [f"projects/film/{uid}/1/out.json" for uid in uids]


async def test_pods_of_namespaces_that_are_not_served_are_refused(
    open_world: Callable[..., Any], namespace: str, elsewhere: str
) -> None:
    async with open_world(namespaces=[namespace]) as world:
        task_id, token = await running(world)
        twin = await task_of_the_same_name(world, task_id, elsewhere)
        other = await twin.token(await twin.pod(task_id))
        report = {"attempt": 1, "progress": 0.5, "step": "x"}
        assert (await world.report(token, task_id, "progress", **report)).status_code == 200
        refused = await world.report(other, task_id, "progress", **report)
        assert refused.status_code == 403
        assert "namespace" in refused.json()["detail"]


@pytest.mark.parametrize(("route", "body"), ROUTES)
async def test_late_reports_are_fenced(world: World, route: str, body: dict[str, Any]) -> None:
    task_id, token = await running(world)
    await world.set_status(task_id, attempt=2)
    late = await world.report(token, task_id, route, **body)
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"
    current = await world.token(await world.pod(task_id, 2))
    ahead = await world.token(await world.pod(task_id, 3))
    assert (await world.report(current, task_id, route, **{**body, "attempt": 2})).status_code == 200
    assert (await world.report(ahead, task_id, route, **{**body, "attempt": 3})).status_code in (200, 400)
    for phase in ("failed", "cancelled"):
        await world.set_status(task_id, phase=phase)
        if route != "result":  # a published result answers with itself
            assert (await world.report(current, task_id, route, **{**body, "attempt": 2})).status_code == 409
    await world.api.post(f"/tasks/{task_id}/retry")
    assert (await world.report(ahead, task_id, route, **{**body, "attempt": 3})).status_code == 200


async def test_nothing_is_published_once_cancellation_is_asked_for(world: World) -> None:
    task_id, token = await running(world)
    assert (await world.report(token, task_id, "progress", attempt=1, progress=0.1, step="x")).json() == {
        "cancel": False
    }
    await world.api.delete(f"/tasks/{task_id}/cancel")
    assert (await world.report(token, task_id, "progress", attempt=1, progress=0.2, step="x")).json() == {
        "cancel": True
    }
    assert (await world.report(token, task_id, "artifacts", **WANTED)).status_code == 409
    empty = {"artifacts": [], "metadata": {}}
    assert (await world.report(token, task_id, "result", attempt=1, result=empty)).status_code == 409


async def test_the_token_of_a_deleted_pod_is_over(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=1)
    pod = await world.pod(task_id)
    token = await world.token(pod)
    await world.kube.delete(PODS, pod["metadata"]["name"], world.namespace, grace_period_seconds=0)

    async def refused() -> bool:
        answer = await world.report(token, task_id, "progress", attempt=1, progress=0.2, step="x")
        return answer.status_code == 401

    await until(refused)


async def test_inputs_of_unknown_references_are_refused_clearly(world: World) -> None:
    task_id, token = await running(world)
    answer = await world.report(token, task_id, "inputs", attempt=1, refs=["upload://abc"])
    assert answer.status_code == 404
    assert "upload://abc" in answer.json()["detail"]


async def test_large_reports_are_refused(world: World) -> None:
    task_id, token = await running(world)
    large = {"artifacts": [], "metadata": {"text": "x" * 300_000}}
    assert (await world.report(token, task_id, "result", attempt=1, result=large)).status_code == 413


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bytes", 5 * 1024**3 + 1),
        ("bytes", 10**13),
        ("bytes", -1),
        ("content_type", "text/html"),
        ("content_type", "image/svg+xml"),
        ("content_type", "application/json\r\nX-Evil: 1"),
        ("content_type", ""),
        ("sha256", "0" * 63),
    ],
)
async def test_grants_are_for_media_of_a_size_that_can_be(world: World, field: str, value: Any) -> None:
    task_id, token = await running(world)
    answer = await world.report(token, task_id, "artifacts", **{**WANTED, field: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["body", field]
