"""Agents: the official client, in both generations of the protocol, and messages that no client would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import httpx2
from mcp.client import Client, ClientExtension, ResultClaim
from mcp.client.extension import ClaimContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Request, RequestParams, Result

TASKS = "io.modelcontextprotocol/tasks"
MODERN, LEGACY = "2026-07-28", "2025-11-25"
MODES = {MODERN: MODERN, LEGACY: "legacy"}
"""What the client calls the version."""


@asynccontextmanager
async def agent(
    url: str, headers: dict[str, str], version: str = MODERN, extensions: Sequence[ClientExtension] = ()
) -> AsyncIterator[Client]:
    """A client of the server at this URL, until the end of the block."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=MODES[version], extensions=list(extensions)
        ) as client,
    ):
        yield client


def envelope(version: str = MODERN, *, extensions: Sequence[str] = ()) -> dict[str, Any]:
    """What each request of the new generation says of its client."""
    capabilities = {"extensions": {name: {} for name in extensions}} if extensions else {}
    return {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }


async def post(
    http: httpx.AsyncClient, method: str, params: dict[str, Any] | None = None, *, extensions: Sequence[str] = ()
) -> httpx.Response:
    """A request of the new generation, without a client in between."""
    given = params or {}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **({"Mcp-Name": name} if (name := given.get("name") or given.get("uri") or given.get("taskId")) else {}),
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {**given, "_meta": envelope(extensions=extensions)},
    }
    return await http.post("/mcp", json=message, headers=headers)


async def call(http: httpx.AsyncClient, name: str, **arguments: Any) -> dict[str, Any]:
    """The result of a tool, or the error instead."""
    answer = (await post(http, "tools/call", {"name": name, "arguments": arguments})).json()
    found: dict[str, Any] = answer.get("result") or answer["error"]
    return found


class TaskHandle(Result):
    """What a tool answers in place of its result."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int | None = None


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


class TaskState(Result):
    """What `tasks/get` answers."""

    task_id: str
    status: str
    status_message: str | None = None
    result: dict[str, Any] | None = None


class Tasks(ClientExtension):
    """The tasks extension as a client has it: polls until the task has ended."""

    identifier = TASKS

    def __init__(self, *, pause: float = 0.05) -> None:
        self.handles: list[TaskHandle] = []
        self.states: list[TaskState] = []
        self._pause = pause

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=TaskHandle, resolve=self._resolve)]

    async def _resolve(self, handle: TaskHandle, context: ClaimContext) -> CallToolResult:
        self.handles.append(handle)
        while True:
            request = Request(method="tasks/get", params=TaskParams(task_id=handle.task_id))
            state = await context.session.send_request(request, TaskState)
            self.states.append(state)
            if state.status == "completed":
                return CallToolResult.model_validate(state.result)
            if state.status != "working":
                return CallToolResult(content=[], structured_content={"status": state.status}, is_error=True)
            await asyncio.sleep(self._pause)
