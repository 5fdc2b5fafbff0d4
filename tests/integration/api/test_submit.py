"""Submitting: shapes, every refusal, idempotency."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mediatask_common.kube import TASKS
from support.front import until

from .conftest import PROMPT, World


def fault(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "instance", "errors"}
    assert document["status"] == answer.status_code
    return document


async def test_a_submit_creates_the_resource_and_says_where_to_look(world: World) -> None:
    answer = await world.api.post("/tasks/submit", json={**PROMPT, "priority": 1, "callback_url": "https://x.org/hook"})
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == [
        "task_id", "status", "project_id", "estimated_duration", "queue_position", "created_at",
        "estimated_cost",
    ]  # fmt: skip
    assert body["status"] == "queued"
    assert body["queue_position"] == 1
    assert answer.headers["location"] == f"/api/v1/tasks/{body['task_id']}/status"
    spec = (await world.task(body["task_id"]))["spec"]
    assert spec["taskData"] == PROMPT["task_data"]
    assert spec["callback"]["url"] == "https://x.org/hook"
    assert (spec["priority"], spec["metadata"]) == (1, {"user_id": "u1"})
    status = await world.api.get(f"/tasks/{body['task_id']}/status")
    assert status.json().items() >= {
        "status": "queued", "progress": 0.0, "current_step": "waiting_in_queue", "result": None, "error": None,
        "started_at": None, "completed_at": None,
    }.items()  # fmt: skip


async def test_the_queue_position_counts_what_is_at_least_as_urgent(world: World) -> None:
    for priority in (1, 5, 9):
        await world.submit(priority=priority)
    await world.submit(task_type="process_audio", task_data={"text": "hello"})
    answer = (await world.api.post("/tasks/submit", json={**PROMPT, "priority": 5})).json()
    assert answer["queue_position"] == 3


IMAGE = "https://x.org/1.png"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"project_id": "-bad"}, ["project_id"]),
        ({"project_id": "a" * 64}, ["project_id"]),
        ({"project_id": "a/b"}, ["project_id"]),
        ({"task_type": "paint"}, ["task_type"]),
        ({"priority": 10}, ["priority"]),
        ({"priority": "1"}, ["priority"]),
        ({"priority": True}, ["priority"]),
        ({"status": "completed"}, ["status"]),
        ({"metadata": {str(number): 1 for number in range(65)}}, ["metadata"]),
        ({"task_data": {}}, ["task_data", "prompt_template"]),
        ({"task_data": {"prompt_template": "x", "extra": 1}}, ["task_data", "extra"]),
        ({"task_data": {"prompt_template": 5}}, ["task_data", "prompt_template"]),
        ({"task_type": "generate_image", "task_data": {"prompt": "x", "width": "512"}}, ["task_data", "width"]),
        ({"task_type": "generate_image", "task_data": {"prompt": "x", "width": 65}}, ["task_data", "width"]),
        ({"task_type": "generate_image", "task_data": {"pose": "x"}}, ["task_data"]),
        ({"callback_url": "ftp://x.org"}, ["callback_url"]),
        ({"callback_url": "https://user:pw@x.org"}, ["callback_url"]),
        ({"callback_url": "https://x.org:99999/"}, ["callback_url"]),
        ({"callback_url": "http://127.0.0.1/"}, ["callback_url"]),
        ({"callback_url": "http://[::1]/"}, ["callback_url"]),
        ({"callback_url": "http://2130706433/"}, ["callback_url"]),
        ({"callback_url": "http://0x7f.1/"}, ["callback_url"]),
        ({"callback_url": "http://169.254.169.254/latest"}, ["callback_url"]),
        ({"callback_url": "http://[::ffff:10.0.0.1]/"}, ["callback_url"]),
        ({"callback_url": "https://x.org/" + "a" * 2048}, ["callback_url"]),
        ({"callback_url": "https://localhost/"}, ["callback_url"]),
        ({"metadata": {"note": "x" * 17_000}}, ["metadata"]),
        (
            {"task_type": "process_audio", "task_data": {"text": "x", "character_voice_profile": "upload://abc"}},
            ["task_data", "character_voice_profile"],
        ),
        *(
            (
                {
                    "task_type": "generate_video",
                    "task_data": {"scene_description": "x", "storyboard_images": [IMAGE, url]},
                },
                ["task_data", "storyboard_images", 1],
            )
            for url in ("http://10.0.0.1/", "https://user:pw@x.org/", "upload://abc", "http://localhost/x.png")
        ),
        (
            {"task_type": "generate_image", "task_data": {"prompt": "x", "reference_images": ["http://[::1]/"]}},
            ["task_data", "reference_images", 0],
        ),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_created(world: World, changes: Any, place: list[str]) -> None:
    answer = await world.api.post("/tasks/submit", json={**PROMPT, **changes})
    assert answer.status_code == 400
    assert ["body", *place] in [error["loc"] for error in fault(answer)["errors"]]
    assert (await world.kube.list(TASKS, world.namespace))["items"] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"project_id": "\xff"}',
        b'{"project_id": "film", "task_type": "test_prompt", "task_data": {"prompt_template": "\\ud800"}}',
        b'{"project_id": "film", "task_type": "test_prompt", "task_data": {"prompt_template": "x"}, '
        b'"metadata": {"a": NaN}}',
        b'{"metadata": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"[" * 100_000,
    ],
)
async def test_what_is_not_a_json_object_is_refused(world: World, content: bytes) -> None:
    answer = await world.api.post("/tasks/submit", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert fault(answer)["errors"][0]["loc"] == ["body"]


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 10**30])
async def test_numbers_that_no_reader_would_keep_are_refused(world: World, number: int) -> None:
    answer = await world.api.post("/tasks/submit", content=json.dumps({**PROMPT, "metadata": {"a": [0, number]}}))
    assert answer.status_code == 400
    assert "metadata.a.1: integers must fit" in fault(answer)["detail"]


async def test_loopback_callbacks_where_the_settings_allow_them(open_world: Any) -> None:
    async with open_world(allow_networks=["127.0.0.0/8"]) as world:
        assert await world.submit(callback_url="http://127.0.0.1:3010/api/webhooks/task-complete")


async def test_callbacks_into_networks_that_the_settings_deny_are_refused(open_world: Any) -> None:
    async with open_world(deny_networks=["203.0.114.0/24"]) as world:
        body = {**PROMPT, "callback_url": "https://203.0.114.7/hook"}
        answer = await world.api.post("/tasks/submit", json=body)
        assert (answer.status_code, fault(answer)["errors"][0]["loc"]) == (400, ["body", "callback_url"])
        assert fault(answer)["detail"].startswith("callback_url: ")
        assert await world.submit(callback_url="https://203.0.115.7/hook")


async def test_an_explicit_null_is_an_absent_field(world: World) -> None:
    task_id = await world.submit(task_data={"prompt_template": "x", "prompt_id": None}, callback_url=None)
    assert (await world.task(task_id))["spec"]["taskData"] == {"prompt_template": "x"}


async def test_bodies_over_the_limit_are_refused_also_without_a_length(world: World) -> None:
    large = {**PROMPT, "metadata": {"a": "x" * 256 * 1024}}
    answer = await world.api.post("/tasks/submit", json=large)
    assert answer.status_code == 413
    fault(answer)
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 4096

    answer = await world.api.post("/tasks/submit", content=chunks())
    assert answer.status_code == 413
    assert sent <= 66, "the rest is not read"


async def test_the_largest_allowed_body_is_accepted(world: World) -> None:
    import orjson

    def filled(length: int) -> bytes:
        data = {**PROMPT["task_data"], "test_parameters": {"name": "x" * length}}
        return orjson.dumps({**PROMPT, "task_data": data})

    body = filled(256 * 1024 - len(filled(0)))
    assert len(body) == 256 * 1024
    assert (await world.api.post("/tasks/submit", content=body)).status_code == 202
    assert (await world.api.post("/tasks/submit", content=body + b" ")).status_code == 413


async def test_a_foreign_project_is_forbidden(world: World) -> None:
    other = await world.caller("other")
    answer = await other.post("/tasks/submit", json=PROMPT)
    assert answer.status_code == 403
    fault(answer)
    assert (await other.post("/tasks/submit", json={**PROMPT, "project_id": "other"})).status_code == 202


# ---- idempotency


async def test_one_key_one_task_one_answer_to_the_byte(world: World) -> None:
    headers = {"Idempotency-Key": "scene-5"}
    answers = await asyncio.gather(*(world.api.post("/tasks/submit", json=PROMPT, headers=headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len((await world.kube.list(TASKS, world.namespace))["items"]) == 1
    # The order of fields and white space do not make another request; another state does not make another answer.
    await world.set_status(answers[0].json()["task_id"], phase="failed", error={"code": "X", "message": "x"})
    again = await world.api.post("/tasks/submit", json=dict(reversed(PROMPT.items())), headers=headers)
    assert again.content == answers[0].content


async def test_another_body_under_the_same_key_is_refused(world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await world.api.post("/tasks/submit", json=PROMPT, headers=headers)
    other = await world.api.post("/tasks/submit", json={**PROMPT, "priority": 0}, headers=headers)
    assert other.status_code == 422
    fault(other)
    foreign = await world.api.post("/tasks/submit", json={**PROMPT, "project_id": "other"}, headers=headers)
    assert foreign.status_code == 202
    assert foreign.json()["task_id"] != first.json()["task_id"], "keys of two projects never meet"


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
async def test_what_is_not_a_key_is_refused(world: World, key: str) -> None:
    answer = await world.api.post("/tasks/submit", json=PROMPT, headers={"Idempotency-Key": key})
    assert answer.status_code == 400


async def test_the_longest_key_works(world: World) -> None:
    headers = {"Idempotency-Key": "k" * 255}
    assert (await world.api.post("/tasks/submit", json=PROMPT, headers=headers)).status_code == 202


# ---- Prefer: wait


async def test_prefer_wait_holds_the_answer_until_the_end(world: World) -> None:
    headers = {"Prefer": "respond-async, wait=20", "Idempotency-Key": "w"}
    waiting = asyncio.create_task(world.api.post("/tasks/submit", json=PROMPT, headers=headers))

    async def created() -> Any:
        return (await world.kube.list(TASKS, world.namespace))["items"]

    items = await until(created)
    await world.set_status(items[0]["metadata"]["name"], phase="completed", progress=1.0)
    answer = await waiting
    assert answer.status_code == 200
    assert answer.json()["status"] == "completed"
    assert answer.headers["preference-applied"] == "wait=20"


async def test_prefer_wait_ends_with_the_time_given(world: World) -> None:
    answer = await world.api.post("/tasks/submit", json=PROMPT, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
