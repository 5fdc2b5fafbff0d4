"""Following, listing, cancelling and retrying tasks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from mediatask_common.kube import TASKS, KubeError
from mediatask_common.redisview import RedisView
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.task import Phase
from support.front import until

from .conftest import PROMPT, World

ARTIFACT = {
    "name": "clip.mp4", "key": "projects/film/u/1/clip.mp4", "sha256": "0" * 64, "bytes": 7, "contentType": "video/mp4",
}  # fmt: skip
COMPLETED: dict[str, Any] = {
    "phase": "completed",
    "progress": 0.97,
    "currentStep": "uploading",
    "attempt": 1,
    "startedAt": "2026-11-21T10:00:00Z",
    "completedAt": "2026-11-21T10:00:30Z",
    "result": {"mediaUrl": "http://old", "artifacts": [ARTIFACT], "metadata": {"duration": 7.0}},
    "timings": {"infer": 21.5},
}


async def test_the_status_of_a_running_and_a_completed_task(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(
        task_id, phase="processing", progress=0.75, currentStep="rendering_video", attempt=1,
        startedAt="2026-11-21T10:00:00Z",
    )  # fmt: skip
    running = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert (running["status"], running["progress"], running["current_step"]) == ("processing", 0.75, "rendering_video")
    assert (running["started_at"], running["completed_at"]) == ("2026-11-21T10:00:00Z", None)
    await world.set_status(task_id, **COMPLETED)
    done = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert (done["status"], done["progress"], done["current_step"]) == ("completed", 1.0, "upload_complete")
    assert done["result"]["metadata"] == {"duration": 7.0}
    assert done["result"]["payload_media_id"] is None
    assert done["result"]["media_url"].startswith("http://api/media/projects/film/u/1/clip.mp4?"), "signed anew"
    assert done["result"]["artifacts"][0]["bytes"] == 7
    assert done["timings"] == {"infer": 21.5}


async def test_a_failed_task_says_why(world: World) -> None:
    task_id = await world.submit()
    error = {"code": "InputUnreachable", "message": "no such picture", "retryable": False}
    await world.set_status(task_id, phase="failed", error=error)
    assert (await world.api.get(f"/tasks/{task_id}/status")).json()["error"] == error


async def test_an_unchanged_status_is_not_sent_again(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, **COMPLETED)
    first = await world.api.get(f"/tasks/{task_id}/status")
    same = await world.api.get(f"/tasks/{task_id}/status", headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    await world.set_status(task_id, timings={"infer": 22})
    changed = await world.api.get(f"/tasks/{task_id}/status", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    anything = await world.api.get(f"/tasks/{task_id}/status", headers={"If-None-Match": "*"})
    assert (anything.status_code, anything.headers["etag"]) == (304, changed.headers["etag"])


@pytest.mark.parametrize("route", ["GET status", "DELETE cancel", "POST retry", "GET media", "GET logs", "PATCH"])
async def test_unknown_and_foreign_tasks_look_the_same(world: World, route: str) -> None:
    task_id = await world.submit()
    method, _, action = route.partition(" ")
    end = f"/{action}" if action else ""
    body = {"json": {"priority": 1}} if method == "PATCH" else {}
    other = await world.caller("other")
    foreign = await other.request(method, f"/tasks/{task_id}{end}", **body)
    unknown = await other.request(method, f"/tasks/{'0' * len(task_id)}{end}", **body)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["type"] == unknown.json()["type"]
    for name in ("UPPER", "a%2Fb", "..%2F..%2Fnodes", "x" * 300, "%00"):
        assert (await world.api.request(method, f"/tasks/{name}{end}", **body)).status_code == 404


async def test_tasks_made_by_kubectl_have_a_status(world: World) -> None:
    spec = {"projectId": "film", "taskType": "test_prompt", "taskData": {"prompt_template": "x"}}
    body = {"apiVersion": "tasks.ft.tc/v1alpha1", "kind": "MediaTask", "metadata": {"name": "by-hand"}, "spec": spec}
    await world.kube.create(TASKS, body, world.namespace)
    assert (await world.api.get("/tasks/by-hand/status")).json()["priority"] == 5


# ---- lists


async def make_many(world: World) -> None:
    for number, phase in enumerate([None, *Phase, *Phase]):
        kind = {"task_type": "process_audio", "task_data": {"text": "x"}} if number % 3 == 0 else {}
        task_id = await world.submit(**kind, tags=["odd", "all"] if number % 2 else ["all"])
        if phase is not None:
            await world.set_status(task_id, phase=phase)
    await world.submit(project_id="other", tags=["odd"])


QUERIES = [
    {},
    {"page": 2, "limit": 4},
    {"page": 99},
    {"limit": 100},
    *({"status": phase.value} for phase in Phase),
    {"task_type": "process_audio"},
    {"task_type": "process_audio", "status": "queued"},
    {"tag": "odd"},
    {"tag": "odd", "status": "queued"},
    {"tag": "odd", "task_type": "process_audio", "status": "failed"},
    {"tag": "none-has-it"},
]


async def every(world: World) -> Any:
    return (await world.api.get("/projects/film/tasks", params={"limit": 100})).json()


async def walk(world: World, **query: Any) -> list[str]:
    """The ids of a whole list, by cursor."""
    found: list[str] = []
    while True:
        page = (await world.api.get("/projects/film/tasks", params=query)).json()
        found += [task["task_id"] for task in page["tasks"]]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


@pytest.mark.parametrize("store", ["redis", "kubernetes"])
async def test_a_cursor_goes_on_after_its_task_whatever_came_or_went(
    world: World, open_world: Any, redis_url: str, view: RedisView, store: str
) -> None:
    for _ in range(5):
        await world.submit()
    await everything_in(view, world)
    async with open_world(redis_url=redis_url if store == "redis" else None) as asked:
        ids = [task["task_id"] for task in (await every(asked))["tasks"]]
        first = (await asked.api.get("/projects/film/tasks", params={"limit": 2})).json()
        for _ in range(3):  # all of the same second as the others, before and after them
            await world.submit()
        gone = await world.task(ids[1])
        gone["metadata"]["resourceVersion"] = "99999999"
        await world.kube.delete(TASKS, ids[1], world.namespace)
        await everything_in(view, world)
        await view.remove(gone)
        query = {"limit": 100, "cursor": first["next_cursor"]}
        rest = [task["task_id"] for task in (await asked.api.get("/projects/film/tasks", params=query)).json()["tasks"]]
        assert [found for found in rest if found in ids] == ids[2:], "none twice, none left out"
        assert (await every(asked))["total"] == 7


async def everything_in(view: RedisView, world: World) -> None:
    async for task in world.kube.list_all(TASKS, world.namespace):
        await view.put(task)
    await view.renew_freshness()


async def test_lists_are_filtered_paged_and_newest_first(world: World) -> None:
    await make_many(world)
    page = (await world.api.get("/projects/film/tasks", params={"limit": 4})).json()
    assert (page["total"], page["page"], page["limit"], page["pages"]) == (11, 1, 4, 3)
    assert len(page["tasks"]) == 4
    times = [task["created_at"] for task in page["tasks"]]
    assert times == sorted(times, reverse=True)
    assert await walk(world, limit=4) == [task["task_id"] for task in (await every(world))["tasks"]]
    odd = (await world.api.get("/projects/film/tasks", params={"tag": "odd"})).json()
    assert odd["total"] == 5
    assert {tuple(task["tags"]) for task in odd["tasks"]} == {("odd", "all")}
    queued = (await world.api.get("/projects/film/tasks", params={"status": "queued"})).json()
    assert queued["total"] == 3, "a task without a status is queued, too"
    assert {task["status"] for task in queued["tasks"]} == {"queued"}
    assert (await world.api.get("/projects/nothing-here/tasks")).json()["pages"] == 0


async def test_redis_and_kubernetes_give_the_same_lists(
    world: World, open_world: Any, redis_url: str, view: RedisView, kubeconfig: Any
) -> None:
    await make_many(world)
    await everything_in(view, world)
    async with open_world(redis_url=redis_url, kubeconfig=kubeconfig) as fast:
        # Without the data of Kubernetes: what this world tells can only come from Redis.
        async def no_list(*_: object, **__: object) -> None:
            raise AssertionError("Kubernetes was asked")

        fast.services.kube.list = no_list
        for query in QUERIES:
            ours = (await fast.api.get("/projects/film/tasks", params=query)).json()
            theirs = (await world.api.get("/projects/film/tasks", params=query)).json()
            assert ours == theirs, query
        assert await walk(fast, limit=3) == await walk(world, limit=3)
        assert (await fast.api.get("/stats")).json() == (await world.api.get("/stats")).json()


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": 0}, {"limit": 101}, {"page": 0}, {"page": "x"}, {"status": "done"}),
        *({"task_type": "a,b=c"}, {"task_type": "no_such_type"}, {"task_typ": "process_audio"}, {"state": "queued"}),
        *({"cursor": text} for text in ("", "x", "\u00e4", "MjAyNi0xMS0yMVQxMDowMDowMFo=", "bm8vdGFzaw==", "x" * 600)),
        {"cursor": "MjAyNi0xMS0yMVQxMDowMDowMFovYQ==", "page": 2},
        {"tag": "x" * 64},
    ],
)
async def test_faulty_queries_are_named(world: World, query: dict[str, Any]) -> None:
    answer = await world.api.get("/projects/film/tasks", params=query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == ["query", next(iter(query))]


async def test_who_calls_is_asked_before_what_for(world: World) -> None:
    world.api.headers.pop("X-API-Key")
    assert (await world.api.get("/tasks/x/status", params={"misspelt": 1})).status_code == 401


async def test_a_foreign_project_is_not_there(world: World) -> None:
    other = await world.caller("other")
    assert (await other.get("/projects/film/tasks")).status_code == 404
    assert (await other.get("/projects/other/tasks")).status_code == 200


# ---- cancel and retry


async def test_cancelling_a_task_that_stops_at_once(world: World) -> None:
    task_id = await world.submit()

    async def operator() -> None:
        async def asked() -> bool:
            return bool((await world.task(task_id))["spec"].get("cancel"))

        await until(asked)
        await world.set_status(task_id, phase="cancelled")

    playing = asyncio.create_task(operator())
    answer = await world.api.delete(f"/tasks/{task_id}/cancel")
    await playing
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert (await world.api.delete(f"/tasks/{task_id}/cancel")).status_code == 409, "it has ended"


async def test_cancelling_a_task_that_takes_time_to_stop(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", progress=0.5)
    answer = await world.api.delete(f"/tasks/{task_id}/cancel")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["current_step"]) == ("processing", "cancelling")
    version = (await world.task(task_id))["metadata"]["resourceVersion"]
    assert (await world.api.delete(f"/tasks/{task_id}/cancel")).status_code == 202
    assert (await world.task(task_id))["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("phase", ["completed", "failed", "cancelled"])
async def test_a_finished_task_cannot_be_cancelled(world: World, phase: str) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase=phase)
    assert (await world.api.delete(f"/tasks/{task_id}/cancel")).status_code == 409
    assert "cancel" not in (await world.task(task_id))["spec"] or not (await world.task(task_id))["spec"]["cancel"]


@pytest.mark.parametrize("phase", ["failed", "cancelled"])
async def test_a_retry_is_one_more_round_under_the_same_id(world: World, phase: str) -> None:
    task_id = await world.submit()
    if phase == "cancelled":
        await world.api.delete(f"/tasks/{task_id}/cancel")
    await world.set_status(task_id, phase=phase, attempt=4, error={"code": "X", "message": "x"})
    answers = await asyncio.gather(*(world.api.post(f"/tasks/{task_id}/retry") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
    answer = next(answer for answer in answers if answer.status_code == 202)
    accepted = answer.json()
    assert (accepted["task_id"], accepted["status"]) == (task_id, "queued")
    assert accepted["created_at"] == (await world.task(task_id))["metadata"]["creationTimestamp"]
    assert answer.headers["location"] == f"/api/v1/tasks/{task_id}/status"
    spec = (await world.task(task_id))["spec"]
    assert (spec["retryRequest"], spec["cancel"]) == (1, False)
    shown = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert (shown["status"], shown["error"], shown["progress"], shown["attempt"]) == ("queued", None, 0.0, 4)
    await world.set_status(task_id, phase="processing", round=1, attempt=5, error=None)
    assert (await world.api.get(f"/tasks/{task_id}/status")).json()["status"] == "processing"


@pytest.mark.parametrize("phase", [None, "processing", "completed"])
async def test_only_failed_and_cancelled_tasks_can_be_retried(world: World, phase: str | None) -> None:
    task_id = await world.submit()
    if phase:
        await world.set_status(task_id, phase=phase)
    assert (await world.api.post(f"/tasks/{task_id}/retry")).status_code == 409


async def test_cancel_survives_writes_of_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = await world.submit()
    plain, writes = world.services.reader.get_true, 0

    async def with_a_write_in_between(name: str) -> Any:
        nonlocal writes
        task = await plain(name)
        if writes < 3:
            writes += 1
            await world.set_status(task_id, progress=writes / 10)
        return task

    monkeypatch.setattr(world.services.reader, "get_true", with_a_write_in_between)
    assert (await world.api.delete(f"/tasks/{task_id}/cancel")).status_code == 202
    assert writes == 3
    assert (await world.task(task_id))["spec"]["cancel"]


async def test_of_two_retries_that_read_the_same_state_one_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="failed")
    plain, both_have_read = world.services.reader.get_true, asyncio.Barrier(2)
    reads = 0

    async def read_together(name: str) -> Any:
        nonlocal reads
        reads += 1
        first_reads = reads <= 2
        task = await plain(name)
        if first_reads:
            await both_have_read.wait()
        return task

    monkeypatch.setattr(world.services.reader, "get_true", read_together)
    answers = await asyncio.gather(*(world.api.post(f"/tasks/{task_id}/retry") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 409]


# ---- priority, tags, scheduled start


async def test_the_priority_changes_while_the_task_is_queued(world: World) -> None:
    task_id = await world.submit()
    answer = await world.api.patch(f"/tasks/{task_id}", json={"priority": 0})
    assert (answer.status_code, answer.json()["priority"], answer.json()["task_id"]) == (200, 0, task_id)
    assert (await world.task(task_id))["spec"]["priority"] == 0
    version = (await world.task(task_id))["metadata"]["resourceVersion"]
    assert (await world.api.patch(f"/tasks/{task_id}", json={"priority": 0})).status_code == 200
    assert (await world.task(task_id))["metadata"]["resourceVersion"] == version, "nothing to change"
    for phase in ("processing", "failed"):
        await world.set_status(task_id, phase=phase)
        refused = await world.api.patch(f"/tasks/{task_id}", json={"priority": 9})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:mediatask:problem:task-not-queued")
    assert (await world.task(task_id))["spec"]["priority"] == 0


@pytest.mark.parametrize(
    "body", [{}, {"priority": 10}, {"priority": -1}, {"priority": True}, {"priority": "1"}, {"priority": 1, "tags": []}]
)
async def test_faulty_changes_are_refused(world: World, body: dict[str, Any]) -> None:
    assert (await world.api.patch(f"/tasks/{await world.submit()}", json=body)).status_code == 400


async def test_kubectl_changes_the_priority_of_queued_tasks_only(world: World) -> None:
    task_id = await world.submit()
    await world.kube.patch(TASKS, task_id, {"spec": {"priority": 1}}, world.namespace)
    await world.set_status(task_id, phase="queued")
    await world.kube.patch(TASKS, task_id, {"spec": {"priority": 2}}, world.namespace)
    await world.set_status(task_id, phase="processing")
    with pytest.raises(KubeError, match=r"spec\.priority: Forbidden: priority may change only while"):
        await world.kube.patch(TASKS, task_id, {"spec": {"priority": 3}}, world.namespace)
    for field, value in {"tags": ["x"], "notBefore": "2027-01-01T00:00:00Z", "projectId": "other"}.items():
        with pytest.raises(KubeError, match=f"spec.{field}: Forbidden: {field} is immutable"):
            await world.kube.patch(TASKS, task_id, {"spec": {field: value}}, world.namespace)


async def test_tags_are_labels_too(world: World) -> None:
    task_id = await world.submit(tags=["night", "Act_2.1"])
    assert (await world.task(task_id))["spec"]["tags"] == ["night", "Act_2.1"]
    found = await world.kube.list(TASKS, world.namespace, labelSelector="tag.tasks.ft.tc/night,tag.tasks.ft.tc/Act_2.1")
    assert [task["metadata"]["name"] for task in found["items"]] == [task_id]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"tags": ["a", "a"]}, {"tags": ["x y"]}, {"tags": [""]}, {"tags": ["x" * 64]}, {"tags": [1]}, {"tags": "a"}),
        {"tags": [f"t{number}" for number in range(9)]},
        *({"not_before": text} for text in ("tomorrow", "2027-01-01", "2027-01-01T00:00:00", "2027-13-01T00:00:00Z")),
        *({"not_before": text} for text in ("9999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", 5, "")),
    ],
)
async def test_faulty_tags_and_times_are_named(world: World, wrong: dict[str, Any]) -> None:
    answer = await world.api.post("/tasks/submit", json={**PROMPT, **wrong})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"][:2] == ["body", next(iter(wrong))]


async def test_a_scheduled_task_stands_in_no_queue(world: World) -> None:
    start = rfc3339(utcnow() + timedelta(days=300))
    task_id = await world.submit(not_before=start)
    shown = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert (shown["status"], shown["not_before"], shown["estimated_start"]) == ("queued", start, start)
    await world.set_status(task_id, phase="queued", currentStep="scheduled")
    shown = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert (shown["current_step"], shown["queue_position"]) == ("scheduled", None)
    answer = await world.api.post("/tasks/submit", json=PROMPT)
    assert answer.json()["queue_position"] == 1


# ---- media and logs


async def test_media_leads_to_the_file(world: World) -> None:
    task_id = await world.submit()
    early = await world.api.get(f"/tasks/{task_id}/media")
    assert early.status_code == 409
    uid = (await world.task(task_id))["metadata"]["uid"]
    key = f"projects/film/{uid}/1/clip.mp4"
    await world.services.store.create(key, b"0123456789", "video/mp4")
    result = {"artifacts": [{**ARTIFACT, "key": key}], "metadata": {}}
    await world.set_status(task_id, **{**COMPLETED, "result": result})
    found = await world.api.get(f"/tasks/{task_id}/media")
    assert found.status_code == 302
    url = found.headers["location"]
    whole = await world.api.get(url, headers={"X-API-Key": ""})
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = await world.api.get(url, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert (await world.api.head(url)).headers["content-length"] == "10"
    for wrong in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace("clip", "clap"), url.partition("?")[0]):
        assert (await world.api.get(wrong)).status_code == 403
    other = await world.caller("other")
    assert (await other.get(f"/tasks/{task_id}/media")).status_code == 404


async def test_logs_of_a_task_without_a_pod(world: World) -> None:
    task_id = await world.submit()
    answer = await world.api.get(f"/tasks/{task_id}/logs")
    assert answer.status_code == 404
    assert "no pod" in answer.json()["detail"]


async def test_estimates_come_from_what_was_measured(
    world: World, open_world: Any, redis_url: str, view: RedisView
) -> None:
    for _ in range(3):
        task_id = await world.submit()
        await view.put(await world.set_status(task_id, **{**COMPLETED, "result": None}))
    await view.renew_freshness()
    async with open_world(redis_url=redis_url) as fast:
        answer = (await fast.api.post("/tasks/submit", json=PROMPT)).json()
        assert answer["estimated_duration"] == 30
