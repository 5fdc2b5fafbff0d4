"""`mediatask mcp`: desktop agents start it and speak to the service through it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

from support.front import until
from support.mcpclient import LEGACY, MODERN, MODES, Tasks, agent, envelope
from support.processes import free_port

from .conftest import World
from .test_mcp import TEMPLATE, completed, key_of, only_task
from .test_slow_readers import listening

BOTH = pytest.mark.parametrize("version", [MODERN, LEGACY])
COMMAND = [str(Path(sys.executable).with_name("mediatask")), "mcp"]


def desktop(url: str, key: str, version: str, **more: Any) -> Client:
    """An agent that starts the command."""
    program, verb = COMMAND
    parameters = StdioServerParameters(command=program, args=[verb, "--url", url], env={"MEDIATASK_API_KEY": key})
    return Client(parameters, mode=MODES[version], **more)


@asynccontextmanager
async def base(world: World) -> AsyncIterator[str]:
    async with listening(world) as port:
        yield f"http://127.0.0.1:{port}"


@BOTH
async def test_it_has_the_tools_of_the_service_and_passes_progress_on(world: World, version: str) -> None:
    told: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with base(world) as url, desktop(url, key_of(world)["X-API-Key"], version) as client:
        assert client.protocol_version == version
        async with agent(f"{url}/mcp", key_of(world), version) as direct:
            assert (await client.list_tools()).tools == (await direct.list_tools()).tools
        made = await client.call_tool("test_prompt", {**TEMPLATE, "idempotency_key": "geschäft ✓"})
        task_id = made.structured_content["task_id"]
        waiting = asyncio.create_task(
            client.call_tool("wait_for_task", {"task_id": task_id}, progress_callback=progress)
        )

        async def heard() -> bool:
            return "waiting_in_queue" in told

        await until(heard)
        await completed(world, task_id)
        assert (await waiting).structured_content["status"] == "completed"
        faulty = await client.call_tool("test_prompt", {"project_id": "film"})
        assert faulty.is_error
        with pytest.raises(MCPError, match="no resource"):
            await client.read_resource("x://ä")


async def test_tasks_of_the_protocol_go_through(world: World) -> None:
    extension = Tasks()
    async with (
        base(world) as url,
        desktop(url, key_of(world)["X-API-Key"], MODERN, extensions=[extension]) as client,
    ):
        calling = asyncio.create_task(client.call_tool("test_prompt", TEMPLATE))
        await completed(world, await only_task(world))
        assert (await calling).structured_content["status"] == "completed"
    assert extension.handles


@BOTH
async def test_a_call_that_is_given_up_is_given_up_at_the_service(world: World, version: str) -> None:
    task_id = await world.submit()
    cap = world.services.caps.waiters

    async def held(number: int) -> bool:
        return cap._held.total() == number

    async with base(world) as url, desktop(url, key_of(world)["X-API-Key"], version) as client:
        waiting = asyncio.create_task(client.call_tool("wait_for_task", {"task_id": task_id}))
        await until(lambda: held(1))
        waiting.cancel()
        await until(lambda: held(0))
        assert await client.call_tool("get_task", {"task_id": task_id}), "the others go on"


async def answers(*lines: bytes, url: str, key: str = "mtk_x") -> list[dict[str, Any]]:
    """What the command writes to each of these lines."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--url", url, "--api-key", key, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n".join(lines) + b"\n")
    found = [json.loads(await process.stdout.readline()) for line in lines if line]
    process.stdin.close()
    assert await process.wait() == 0, "it ends with its input"
    return found


async def test_what_goes_wrong_is_told_as_the_answer(world: World) -> None:
    ping = {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {"_meta": envelope()}}
    (away,) = await answers(json.dumps(ping).encode(), url=f"http://127.0.0.1:{free_port()}")
    assert away["id"] == "a"
    assert "does not answer" in away["error"]["message"]
    async with base(world) as url:
        broken, unknown = await answers(b"{", json.dumps(ping).encode(), url=url)
        assert "not JSON" in broken["error"]["message"]
        assert unknown["id"] == "a"
        assert "is not valid" in unknown["error"]["message"]
