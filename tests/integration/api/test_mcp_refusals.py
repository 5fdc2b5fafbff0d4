"""What agents may not do over MCP: as over REST, and in its words."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from mediatask_api.mcp.catalogue import tools
from mediatask_common.access.roles import SCOPES
from mediatask_common.kube import TASKS as MEDIA_TASKS
from support.front import until
from support.mcpclient import LEGACY, MODERN, TASKS, agent, call, envelope, post
from support.processes import AnyProcess

from .conftest import World
from .test_audit import lines
from .test_mcp import TEMPLATE
from .test_process import PATIENCE, process
from .test_slow_readers import listening, running_task

BOTH = pytest.mark.parametrize("version", [MODERN, LEGACY])


def root(world: World, caller: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same caller, for what is not under `/api/v1`."""
    return httpx.AsyncClient(transport=world.public, base_url="http://api", headers=caller.headers)


def arguments(tool: str, task_id: str, project: str) -> dict[str, Any]:
    """Valid ones about something."""
    if tool == "list_task_types":
        return {}
    if tool == "list_tasks":
        return {"project_id": project}
    if tool == "wait_for_task":
        return {"task_id": task_id, "wait_seconds": 0}
    if tool in ("get_task", "cancel_task", "retry_task"):
        return {"task_id": task_id}
    data = {
        "generate_video": {"scene_description": "x"},
        "process_audio": {"text": "x"},
        "generate_image": {"prompt": "x"},
    }
    return {"project_id": project, "task_data": data.get(tool, {"prompt_template": "x"})}


@BOTH
async def test_nobody_without_a_key_is_answered(world: World, version: str) -> None:
    answer = await post(httpx.AsyncClient(transport=world.public, base_url="http://api"), "tools/list")
    assert answer.status_code == 401
    assert "ApiKey" in answer.headers["WWW-Authenticate"]
    rest = await httpx.AsyncClient(transport=world.public, base_url="http://api").get("/api/v1/task-types")
    assert answer.json()["error"]["message"] == rest.json()["detail"]
    async with listening(world) as port:
        with pytest.raises((MCPError, ExceptionGroup)):
            async with agent(f"http://127.0.0.1:{port}/mcp", {"X-API-Key": "mtk_wrong"}, version) as client:
                await client.list_tools()


@pytest.mark.parametrize("name", sorted(tools()))
async def test_each_tool_asks_for_its_scope(world: World, name: str) -> None:
    tool = tools()[name]
    task_id = await world.submit()
    without = root(world, await world.caller("film", scopes=["usage:read"]))
    refused = await call(without, name, **arguments(name, task_id, "film"))
    assert refused["isError"]
    assert refused["structuredContent"]["detail"] == f"This call needs the scope {tool.scope}."
    listed = (await post(without, "tools/list")).json()["result"]["tools"]
    assert name not in {each["name"] for each in listed}
    having = root(world, await world.caller("film", scopes=[tool.scope]))
    given = await call(having, name, **arguments(name, task_id, "film"))
    assert given["isError"] is (name == "retry_task"), given
    assert given["structuredContent"].get("status") != 403


@pytest.mark.parametrize(
    ("method", "about", "scope"),
    [
        ("resources/read", "uri", "tasks:read"),
        ("resources/read", "uri/media", "media:read"),
        ("resources/read", "uri/preview", "tasks:read"),
        ("tasks/get", "taskId", "tasks:read"),
        ("tasks/update", "taskId", "tasks:read"),
        ("tasks/cancel", "taskId", "tasks:cancel"),
    ],
)
async def test_resources_and_tasks_ask_for_theirs(world: World, method: str, about: str, scope: str) -> None:
    task_id = await world.submit()
    field, _, part = about.partition("/")
    named = {field: f"mediatask://tasks/{task_id}/{part}".rstrip("/") if field == "uri" else task_id}
    without = root(world, await world.caller("film", scopes=sorted(SCOPES.keys() - {scope})))
    refused = (await post(without, method, named, extensions=[TASKS])).json()["error"]
    assert refused["message"] == f"This call needs the scope {scope}."
    assert refused["data"]["status"] == 403
    assert not (await world.task(task_id))["spec"].get("cancel")


@pytest.mark.parametrize("name", sorted(set(tools()) - {"list_task_types"}))
async def test_what_belongs_to_others_is_as_if_it_were_not_there(world: World, name: str) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="failed")
    stranger = root(world, await world.caller("else"))
    before = await world.task(task_id)
    theirs = await call(stranger, name, **arguments(name, task_id, "film"))
    absent = await call(stranger, name, **arguments(name, "nothing", "nowhere"))
    assert theirs["isError"]
    assert theirs["structuredContent"]["status"] == (403 if tools()[name].task_type else 404)
    told = str(theirs).replace(task_id, "IT").replace("film", "P")
    assert told == str(absent).replace("nothing", "IT").replace("nowhere", "P")
    assert await world.task(task_id) == before
    for method, named in (
        ("tasks/get", {"taskId": task_id}),
        ("resources/read", {"uri": f"mediatask://tasks/{task_id}"}),
    ):
        answer = await post(stranger, method, named, extensions=[TASKS])
        assert answer.json()["error"]["message"] == f"There is no task {task_id!r}."


async def test_a_writer_changes_only_what_it_has_submitted(world: World) -> None:
    task_id = await world.submit()
    writer = root(world, await world.caller("film", role="writer"))
    refused = await call(writer, "cancel_task", task_id=task_id)
    assert refused["structuredContent"]["type"].endswith("not-your-task")
    assert not (await world.task(task_id))["spec"].get("cancel")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b" " * 300_000, 413, "larger than 262144 bytes"),
        (b"{", 400, "not valid JSON"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 70 + b"1" + b"}" * 71,
            400,
            "deeper than 64",
        ),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, "occurs twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', 400, "not valid JSON"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, "a JSON object is expected"),
        (b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}', 400, "64"),
    ],
    ids=["large", "broken", "brackets", "deep", "twice", "nan", "batch", "integer"],
)
@BOTH
async def test_a_body_is_as_bounded_and_strict_as_that_of_rest(
    world: World, version: str, body: bytes, status: int, words: str
) -> None:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
        "Mcp-Method": "ping",
    }
    answer = await world.api_root.post("/mcp", content=body, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert answer.json()["jsonrpc"] == "2.0"


async def test_a_deep_argument_and_a_wrong_kind_of_arguments_are_refused(world: World) -> None:
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"a": deep}
    answer = await post(
        world.api_root, "tools/call", {"name": "test_prompt", "arguments": {**TEMPLATE, "metadata": deep}}
    )
    assert answer.status_code == 200
    answer = await post(world.api_root, "tools/call", {"name": "test_prompt", "arguments": ["x"]})
    assert answer.json()["error"]["code"] == -32602


async def test_only_messages_are_taken(world: World) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = await world.api_root.request(method, "/mcp")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_pages_of_other_origins_may_not_call(open_world: Callable[..., Any]) -> None:
    async with open_world(cors_origins=["https://app.example.com"]) as world:
        for origin, status in (
            ("https://app.example.com", 200), ("https://evil.example", 403), ("http://api", 403), ("null", 403),
        ):  # fmt: skip
            world.api_root.headers["Origin"] = origin
            answer = await post(world.api_root, "tools/list")
            assert answer.status_code == status, origin


async def test_a_caller_has_so_many_requests_and_a_project_so_many_tasks(open_world: Callable[..., Any]) -> None:
    async with open_world(requests_per_minute=150, submits_per_minute=100) as world:
        made = 0
        while not (answer := await call(world.api_root, "test_prompt", **TEMPLATE))["isError"]:
            made += 1
        assert 100 <= made < 150
        refused = answer["structuredContent"]
        assert (refused["status"], refused["detail"][:41]) == (429, "The project film takes 100 tasks a minute")
        assert refused["retry_after"] > 0
        while (last := await post(world.api_root, "tools/list")).status_code == 200:
            made += 1
        assert made < 300
        assert last.status_code == 429
        assert int(last.headers["Retry-After"]) > 0
        assert "This caller may send 150 requests a minute" in last.json()["error"]["message"]


async def test_held_calls_share_their_cap_with_those_of_rest(open_world: Callable[..., Any]) -> None:
    async with open_world(max_held_requests_per_key=1) as world:
        task_id = await world.submit()
        held = asyncio.create_task(world.api.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=60"}))
        cap = world.services.caps.waiters

        async def taken() -> bool:
            return cap._held.total() == 1

        await until(taken)
        for name, given in (("wait_for_task", {"task_id": task_id}), ("test_prompt", {**TEMPLATE, "wait_seconds": 9})):
            refused = (await call(world.api_root, name, **given))["structuredContent"]
            assert (refused["status"], refused["retry_after"]) == (429, 5)
        assert len((await world.kube.list(MEDIA_TASKS, world.namespace))["items"]) == 1, "nothing was made of it"
        await world.set_status(task_id, phase="failed")
        await held
        waited = await call(world.api_root, "wait_for_task", task_id=task_id)
        assert waited["structuredContent"]["status"] == "failed"
        assert cap._held.total() == 0


@BOTH
async def test_a_held_call_ends_with_the_key(world: World, version: str) -> None:
    task_id = await world.submit()
    caller = await world.caller("film")
    cap = world.services.caps.waiters

    async def held() -> bool:
        return cap._held.total() == 1

    async with listening(world) as port:
        headers = {"X-API-Key": caller.headers["X-API-Key"]}
        async with agent(f"http://127.0.0.1:{port}/mcp", headers, version) as client:
            waiting = asyncio.create_task(client.call_tool("wait_for_task", {"task_id": task_id}))
            await until(held)
            began = time.monotonic()
            await world.keys.revoke("key-2")
            answer = await waiting
            assert time.monotonic() - began < 45, "long before its minute is over"
    assert answer.is_error
    assert answer.structured_content["detail"] == "The credentials are not valid any more."
    assert cap._held.total() == 0


async def test_what_kubernetes_refuses_is_told_as_in_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediatask_common.kube import KubeError

    async def away(*_: Any, **__: Any) -> Any:
        raise KubeError(503, "ServiceUnavailable", "gone")

    monkeypatch.setattr(world.services.reader, "get", away)
    told = await call(world.api_root, "get_task", task_id="x")
    assert told["structuredContent"]["type"] == "urn:mediatask:problem:kubernetes-unavailable"
    assert told["structuredContent"]["retry_after"] > 0


async def test_an_unexpected_failure_tells_nothing_of_the_inside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret words")

    monkeypatch.setattr(world.services.reader, "get", broken)
    told = await call(world.api_root, "get_task", task_id="x")
    assert told["structuredContent"]["status"] == 500
    assert "secret words" not in str(told)


def test_each_change_has_a_line_and_what_only_reads_has_none(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    async def play(url: str, key: str) -> str:
        async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key, "X-Request-Id": "run-1"}) as caller:
            made = await call(caller, "test_prompt", **TEMPLATE)
            task_id: str = made["structuredContent"]["task_id"]
            await call(caller, "get_task", task_id=task_id)
            for method in ("tools/list", "server/discover", "resources/list"):
                await post(caller, method)
            async with agent(f"{url}/mcp", {"X-API-Key": key}, LEGACY) as client:
                await client.list_tools()
            await call(caller, "retry_task", task_id=task_id)
            await call(caller, "test_prompt", **{**TEMPLATE, "priority": 11})
            await caller.post("/mcp", content=b"x" * 300_000)
            return task_id

    with process(tmp_path, kubeconfig, namespace, MEDIATASK_LOG_LEVEL="ERROR") as (client, _, _running):
        task_id = asyncio.run(play(str(client.base_url), client.headers["X-API-Key"]))
    written = lines(tmp_path / "api.log")
    # A line is written after its answer: of two that follow each other at once either may come first.
    assert sorted((line["action"], line["status"], line["outcome"]) for line in written) == [
        ("POST /mcp", 413, "refused"),
        ("POST /mcp retry_task", 409, "refused"),
        ("POST /mcp test_prompt", 200, "done"),
        ("POST /mcp test_prompt", 400, "refused"),
    ]
    (made,) = [line for line in written if line["outcome"] == "done"]
    assert (made["task"], made["project"]) == (task_id, "film")
    assert {line["request_id"] for line in written} == {"run-1"}


def test_a_replica_that_ends_answers_who_waits(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    async def play(url: str, key: str, running: AnyProcess) -> Any:
        async with agent(f"{url}/mcp", {"X-API-Key": key}) as client:
            task_id = (await client.call_tool("test_prompt", TEMPLATE)).structured_content["task_id"]
            began = asyncio.Event()

            async def told(*_: Any) -> None:
                began.set()

            waiting = asyncio.create_task(
                client.call_tool("wait_for_task", {"task_id": task_id}, progress_callback=told)
            )
            await began.wait()
            running.terminate()
            return await waiting

    with process(tmp_path, kubeconfig, namespace, drain_seconds=10) as (client, _, running):
        answer = asyncio.run(play(str(client.base_url).rstrip("/"), client.headers["X-API-Key"], running))
        assert answer.structured_content["status"] == "queued"
        assert running.wait(PATIENCE) == 0
    assert "Traceback" not in (tmp_path / "api.log").read_text()


async def test_who_reads_nothing_of_a_held_call_is_cut_off(world: World) -> None:
    task_id, token = await running_task(world)
    cap = world.services.caps.waiters
    hub = world.services.events.feeds.hub

    async def followed() -> bool:
        return cap._held.total() == 1 and hub.followed(task_id, "film")

    named = {"name": "wait_for_task", "arguments": {"task_id": task_id}, "_meta": {**envelope(), "progressToken": 1}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": named})
    head = (
        "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\n"
        "Accept: application/json, text/event-stream\r\nMcp-Method: tools/call\r\nMcp-Name: wait_for_task\r\n"
        f"X-API-Key: {world.api.headers['X-API-Key']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with listening(world, stall_seconds=0.5) as port:
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", port))
            caller.sendall(f"{head}{body}".encode())
            await until(followed)
            for number in itertools.count(1):
                assert number < 3000, "never cut off"
                report = {"attempt": 1, "progress": min(number / 1000, 1.0), "step": f"{number} {'x' * 100}"}
                assert (await world.report(token, task_id, "progress", **report)).status_code == 200
                if cap._held.total() == 0:
                    break
    assert not hub.followed(task_id, "film")
