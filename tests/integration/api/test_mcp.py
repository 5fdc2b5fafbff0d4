"""Agents over MCP, with the official client in both generations of the protocol."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import BlobResourceContents, ResourceLink, TextContent, TextResourceContents
from PIL import Image

from mediatask_common.store.file import FileStore
from mediatask_crds.tasktypes import task_types
from support.front import until
from support.mcpclient import LEGACY, MODERN, TASKS, Tasks, agent, post

from .conftest import PROMPT, World
from .test_slow_readers import listening

BOTH = pytest.mark.parametrize("version", [MODERN, LEGACY])
TEMPLATE = {name: PROMPT[name] for name in ("project_id", "task_data", "metadata")}


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with listening(world) as port:
        yield f"http://127.0.0.1:{port}/mcp"


def key_of(world: World) -> dict[str, str]:
    return {"X-API-Key": world.api.headers["X-API-Key"]}


async def completed(world: World, task_id: str, content: bytes = b"{}", media_type: str = "application/json") -> None:
    """Play the operator and the job: the task has made a file."""
    key = f"projects/film/{task_id}/1/out"
    artifact = {"name": "out", "key": key, "sha256": "a" * 64, "bytes": len(content), "contentType": media_type}
    store = world.services.store
    assert isinstance(store, FileStore)
    path = store.path(key)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    result = {"artifacts": [artifact], "metadata": {"seed": 7}}
    await world.set_status(
        task_id, phase="completed", progress=1.0, attempt=1, result=result, completedAt="2026-11-21T10:00:00Z"
    )


async def only_task(world: World) -> str:
    """The name of the one task, as soon as there is it."""

    async def found() -> str:
        tasks = (await world.api.get("/projects/film/tasks")).json()["tasks"]
        return tasks[0]["task_id"] if tasks else ""

    name: str = await until(found)
    return name


@BOTH
async def test_each_task_type_is_a_tool_with_the_schema_of_rest(world: World, url: str, version: str) -> None:
    async with agent(url, key_of(world), version) as client:
        assert client.protocol_version == version
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name, kind in task_types().items():
        schema = tools[name].input_schema
        wanted = kind.model_json_schema()
        assert schema["properties"]["task_data"]["properties"] == wanted["properties"]
        assert schema["required"] == ["project_id", "task_data"]
    assert {"get_task", "wait_for_task", "cancel_task", "retry_task", "list_tasks", "list_task_types"} < set(tools)
    assert tools["get_task"].annotations.read_only_hint


@BOTH
async def test_a_task_is_submitted_awaited_with_progress_and_its_media_linked(
    world: World, url: str, version: str
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with agent(url, key_of(world), version) as client:
        submitted = await client.call_tool("test_prompt", TEMPLATE)
        assert submitted.structured_content["status"] == "queued"
        task_id = submitted.structured_content["task_id"]
        waiting = asyncio.create_task(
            client.call_tool("wait_for_task", {"task_id": task_id}, progress_callback=progress)
        )

        async def heard(step: str) -> bool:
            return any(message == step for _, _, message in told)

        await until(lambda: heard("waiting_in_queue"))
        await world.set_status(task_id, phase="processing", progress=0.5, currentStep="drawing", attempt=1)
        await until(lambda: heard("drawing"))
        await completed(world, task_id)
        done = await waiting
    assert [step for _, _, step in told][:2] == ["waiting_in_queue", "drawing"]
    assert [part for part, _, _ in told] == sorted(part for part, _, _ in told)
    assert done.structured_content["status"] == "completed"
    text, link = done.content
    assert isinstance(text, TextContent)
    assert isinstance(link, ResourceLink)
    assert link.uri == done.structured_content["result"]["media_url"]
    assert (link.name, link.size, link.mime_type) == ("out", 2, "application/json")
    assert done.structured_content == (await world.api.get(f"/tasks/{task_id}/status")).json() | {
        "result": done.structured_content["result"]
    }


@BOTH
async def test_the_other_calls_are_those_of_rest(world: World, url: str, version: str) -> None:
    async with agent(url, key_of(world), version) as client:

        async def call(name: str, **arguments: Any) -> dict[str, Any]:
            answer = await client.call_tool(name, arguments)
            assert not answer.is_error, answer.content
            found: dict[str, Any] = answer.structured_content
            return found

        first = await call("test_prompt", **TEMPLATE, idempotency_key="k1")
        sent_by_some = {"priority": None, "tags": None, "callback_url": None, "wait_seconds": None}
        assert await call("test_prompt", **TEMPLATE, **sent_by_some, idempotency_key="k1") == first
        assert await call("test_prompt", **TEMPLATE, idempotency_key="k1") == first, "one task"
        task_id = first["task_id"]
        assert await call("get_task", task_id=task_id) == (await world.api.get(f"/tasks/{task_id}/status")).json()
        cancelled = asyncio.create_task(call("cancel_task", task_id=task_id))
        await until(lambda: _cancel_asked(world, task_id))
        await world.set_status(task_id, phase="cancelled")
        await cancelled
        assert (await call("retry_task", task_id=task_id))["status"] == "queued"
        other = await world.submit(tags=["night"])
        listed = await call("list_tasks", project_id="film", status="queued", tag="night", limit=1)
        assert [task["task_id"] for task in listed["tasks"]] == [other]
        assert (await call("list_tasks", project_id="film"))["total"] == 2
        types = await call("list_task_types")
        assert types["task_types"] == (await world.api.get("/task-types")).json()


async def _cancel_asked(world: World, task_id: str) -> bool:
    return bool((await world.task(task_id))["spec"].get("cancel"))


async def test_a_submit_may_be_held_until_the_end(world: World, url: str) -> None:
    async with agent(url, key_of(world)) as client:
        waiting = asyncio.create_task(client.call_tool("test_prompt", {**TEMPLATE, "wait_seconds": 60}))
        await completed(world, await only_task(world))
        assert (await waiting).structured_content["status"] == "completed"


async def test_a_task_that_failed_is_an_error(world: World, url: str) -> None:
    task_id = await world.submit()
    error = {"code": "OutOfMemory", "message": "no room", "retryable": True}
    await world.set_status(task_id, phase="failed", error=error)
    async with agent(url, key_of(world)) as client:
        answer = await client.call_tool("get_task", {"task_id": task_id})
    assert answer.is_error
    assert answer.structured_content["error"]["message"] == "no room"


@BOTH
async def test_faulty_arguments_are_named_as_rest_names_them(world: World, url: str, version: str) -> None:
    faulty = {"project_id": "film", "task_data": {"prompt_tmplate": "x"}, "priority": 11}
    rest = (await world.api.post("/tasks/submit", json={**faulty, "task_type": "test_prompt"})).json()
    async with agent(url, key_of(world), version) as client:
        answer = await client.call_tool("test_prompt", faulty)
        unknown = await client.call_tool("test_prompt", {**TEMPLATE, "task_type": "generate_image", "wait": 3})
    assert answer.is_error
    assert answer.structured_content["detail"] == rest["detail"]
    places = [(tuple(fault["loc"][1:]), fault["msg"]) for fault in rest["errors"]]
    assert [(tuple(fault["loc"][1:]), fault["msg"]) for fault in answer.structured_content["errors"]] == places
    assert {fault["loc"][0] for fault in answer.structured_content["errors"]} == {"arguments"}
    assert {fault["loc"][-1] for fault in unknown.structured_content["errors"]} >= {"wait"}


@BOTH
async def test_an_unknown_tool_is_refused_with_the_names_that_there_are(world: World, url: str, version: str) -> None:
    async with agent(url, key_of(world), version) as client:
        with pytest.raises(MCPError, match=r"paint.*get_task") as refused:
            await client.session.call_tool("paint", {})
    assert refused.value.code == -32602


@BOTH
async def test_small_media_is_read_and_large_media_linked(world: World, url: str, version: str) -> None:
    small, large, queued = await world.submit(), await world.submit(), await world.submit()
    await completed(world, small, b"picture", "image/png")
    await completed(world, large, bytes(600 * 1024), "video/mp4")
    async with agent(url, key_of(world), version) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert {each.uri_template.rpartition("/")[2] for each in templates} == {"{task_id}", "media", "preview"}
        assert (await client.list_resources()).resources == []
        (found,) = (await client.read_resource(f"mediatask://tasks/{small}/media")).contents
        assert isinstance(found, BlobResourceContents)
        assert (base64.b64decode(found.blob), found.mime_type) == (b"picture", "image/png")
        (link,) = (await client.read_resource(f"mediatask://tasks/{large}/media")).contents
        assert isinstance(link, TextResourceContents)
        assert link.mime_type == "text/uri-list"
        assert link.text.startswith("http")
        (state,) = (await client.read_resource(f"mediatask://tasks/{small}")).contents
        assert isinstance(state, TextResourceContents)
        assert '"completed"' in state.text
        for uri in (f"mediatask://tasks/{queued}/media", "mediatask://tasks/none", "file:///etc/passwd"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)


async def test_a_preview_is_what_the_job_draws_meanwhile(world: World, url: str) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=1)
    pod = await world.pod(task_id)
    token = await world.token(pod)
    hub = world.services.events.feeds.hub

    async def wanted() -> bool:
        return hub.wants_preview(task_id)

    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    image = base64.b64encode(picture.getvalue()).decode()
    async with agent(url, key_of(world)) as client:
        reading = asyncio.create_task(client.read_resource(f"mediatask://tasks/{task_id}/preview"))
        await until(wanted)
        answer = await world.report(token, task_id, "preview", attempt=1, progress=0.5, step="drawing", image=image)
        assert answer.status_code < 300, answer.text
        (found,) = (await reading).contents
    assert isinstance(found, BlobResourceContents)
    assert (found.blob, found.mime_type) == (image, "image/jpeg")


async def test_a_client_that_knows_tasks_is_given_one_in_place_of_a_result(world: World, url: str) -> None:
    extension = Tasks()
    async with agent(url, key_of(world), extensions=[extension]) as client:
        calling = asyncio.create_task(client.call_tool("test_prompt", TEMPLATE))
        task_id = await only_task(world)
        await world.set_status(task_id, phase="processing", progress=0.5, currentStep="drawing", attempt=1)

        async def seen() -> bool:
            return any(state.status_message == "drawing" for state in extension.states)

        await until(seen)
        await completed(world, task_id)
        answer = await calling
    assert extension.handles[0].task_id == task_id
    assert {state.status for state in extension.states} == {"working", "completed"}
    assert answer.structured_content["status"] == "completed"
    assert any(isinstance(part, ResourceLink) for part in answer.content)


async def test_a_task_is_cancelled_where_that_is_asked_for(world: World) -> None:
    task_id = await world.submit()
    named = {"taskId": task_id}
    unaware = (await post(world.api_root, "tasks/cancel", named)).json()
    assert unaware["error"]["code"] == -32021, "who does not declare the extension has no tasks"
    assert not (await world.task(task_id))["spec"].get("cancel")
    asked = asyncio.create_task(post(world.api_root, "tasks/cancel", named, extensions=[TASKS]))
    await until(lambda: _cancel_asked(world, task_id))
    await world.set_status(task_id, phase="cancelled")
    assert (await asked).json()["result"]["resultType"] == "complete"
    again = (await post(world.api_root, "tasks/cancel", named, extensions=[TASKS])).json()
    assert again["result"]["resultType"] == "complete", "it has ended, and stays so"
    state = (await post(world.api_root, "tasks/get", named, extensions=[TASKS])).json()["result"]
    assert state["status"] == "cancelled"
    absent = (await post(world.api_root, "tasks/get", {"taskId": "none"}, extensions=[TASKS])).json()
    assert absent["error"]["code"] == -32602


@BOTH
async def test_a_client_that_hangs_up_gives_back_its_place_and_cancels_nothing(
    world: World, url: str, version: str
) -> None:
    task_id = await world.submit()
    cap = world.services.caps.waiters

    async def held(number: int) -> bool:
        return cap._held.total() == number

    async def wait(client: Client) -> None:
        await client.call_tool("wait_for_task", {"task_id": task_id})

    async with agent(url, key_of(world), version) as client:
        waiting = asyncio.create_task(wait(client))
        await until(lambda: held(1))
        waiting.cancel()
    await until(lambda: held(0))
    task = await world.task(task_id)
    assert not task["spec"].get("cancel")
