"""An agent with the official client, beside the whole local mode."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import Request, Result

from mediatask_local.up import UpInfo
from support.mcpclient import LEGACY, MODERN, TaskParams, Tasks, agent
from support.mode import Rest, pod_processes, until

LONG: dict[str, Any] = {
    "project_id": "agents",
    "task_data": {"character_description": "a lighthouse at dusk", "width": 1024, "height": 1024, "steps": 100},
}


def key_of(mode: UpInfo) -> dict[str, str]:
    return {"X-API-Key": mode.api_key}


@pytest.mark.parametrize("version", [MODERN, LEGACY])
async def test_a_task_is_submitted_and_awaited(embedded_mode: UpInfo, version: str) -> None:
    arguments = {"project_id": "agents", "task_data": {"prompt_template": f"a prompt of {version}"}}
    async with agent(f"{embedded_mode.api_url}/mcp", key_of(embedded_mode), version) as client:
        submitted = await client.call_tool("test_prompt", arguments)
        task_id = submitted.structured_content["task_id"]
        done = await client.call_tool("wait_for_task", {"task_id": task_id})
    assert done.structured_content["status"] == "completed"
    assert done.structured_content["result"]["media_url"].startswith("http")


async def test_a_cancelled_call_cancels_the_task_that_runs_where_that_is_asked(embedded_mode: UpInfo) -> None:
    """The call is one task of the protocol: the client stops it by its id, and nothing of it runs on."""
    rest, tasks = Rest(embedded_mode), Tasks()
    async with agent(f"{embedded_mode.api_url}/mcp", key_of(embedded_mode), extensions=[tasks]) as client:
        call = asyncio.create_task(client.call_tool("generate_image", LONG))
        task_id = await asyncio.to_thread(until, lambda: tasks.handles and tasks.handles[0].task_id)
        await asyncio.to_thread(until, lambda: pod_processes(task_id))
        await _cancel(client, task_id)
        answer = await call
    assert answer.is_error
    assert answer.structured_content == {"status": "cancelled"}
    assert rest.status(task_id)["status"] == "cancelled"
    assert not pod_processes(task_id)


async def _cancel(client: Client, task_id: str) -> None:
    request = Request(method="tasks/cancel", params=TaskParams(task_id=task_id))
    await client.session.send_request(request, Result)


async def test_a_call_that_is_given_up_cancels_nothing(embedded_mode: UpInfo) -> None:
    rest = Rest(embedded_mode)
    task_id = rest.submit("given up", "agents")
    async with agent(f"{embedded_mode.api_url}/mcp", key_of(embedded_mode)) as client:
        call = asyncio.create_task(client.call_tool("wait_for_task", {"task_id": task_id}))
        call.cancel()
        await asyncio.wait([call])
    await asyncio.to_thread(until, lambda: rest.has_ended(task_id))
    assert rest.status(task_id)["status"] == "completed"
