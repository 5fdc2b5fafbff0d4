"""The MCP server: the protocol is the SDK's, the answers are those of the modules beside.

Imported with the first request: the SDK takes most of a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

from fastapi import Request
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ToolAnnotations,
)
from mcp_types import Tool as ToolAnswer

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

from ..auth.audit import note_call
from ..http.body import MAX_BODY_BYTES
from ..http.errors import CLIENT_CLOSED_REQUEST, ApiError, from_kube
from ..tasks.schemas import SubmitAnswer
from . import resources, tasks
from .call import Call
from .catalogue import Tool, tools
from .results import protocol_error, refused, result_of
from .tools import run

log = get_logger(__name__)

INSTRUCTIONS = (
    "Makes media on GPUs: pictures, films, speech. Each kind of work is a tool that makes a task. A task takes seconds "
    "to minutes: wait for it with wait_for_task, again and again until its status is completed, failed or cancelled. "
    "A completed task's result has links to its files, which expire; get_task gives fresh ones. Give each piece of "
    "work an idempotency_key, and repeat the call under the same key when you do not know whether it has arrived."
)

Context = ServerRequestContext[Any, Request]
R = TypeVar("R")


def session_manager() -> StreamableHTTPSessionManager:
    """Serves the protocol over HTTP, without sessions: any replica answers any request."""
    return StreamableHTTPSessionManager(_server(), stateless=True, max_request_body_size=MAX_BODY_BYTES)


def _server() -> Server[Any]:
    known = tools()
    answers = {name: _described(tool) for name, tool in known.items()}

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        scopes = _call(ctx).caller.scopes
        return ListToolsResult(tools=[answers[name] for name, tool in known.items() if tool.scope in scopes])

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> Any:
        tool = known.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:100]!r}; there are {', '.join(known)}.")
        call = _call(ctx)

        async def answer() -> CallToolResult | dict[str, Any]:
            found = await run(tool, call, params.arguments or {})
            if isinstance(found, SubmitAnswer) and tool.task_type is not None and tasks.declared(ctx):
                return tasks.created(found)
            return result_of(found)

        try:
            return await _noted(call, tool.name, answer, changes=not tool.reads)
        except ApiError as error:
            return refused(error)

    async def list_resources(ctx: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        return resources.listed()

    async def list_templates(ctx: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return resources.templates()

    async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        call = _call(ctx)
        try:
            return await _noted(call, "resources/read", lambda: resources.read(call, params.uri), changes=False)
        except ApiError as error:
            raise protocol_error(error) from error

    server: Server[Any] = Server(
        "mediatask",
        version=version("mediatask"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        get_tool_input_schema=lambda name: known[name].schema if name in known else None,
    )
    server.middleware.clear()  # it traces what nobody collects
    server.extensions = {tasks.EXTENSION: {}}
    for method, handle, changes in (
        ("tasks/get", tasks.get, False),
        ("tasks/cancel", tasks.cancel, True),
        ("tasks/update", tasks.update, False),
    ):
        server.add_request_handler(method, tasks.TaskParams, _task_method(method, handle, changes))
    return server


def _task_method(
    method: str, handle: Callable[[Call, tasks.TaskParams], Awaitable[dict[str, Any]]], changes: bool
) -> Callable[[Context, tasks.TaskParams], Awaitable[dict[str, Any]]]:
    async def answer(ctx: Context, params: tasks.TaskParams) -> dict[str, Any]:
        call = _call(ctx)
        try:
            tasks.require_declared(ctx)
            return await _noted(call, method, lambda: handle(call, params), changes=changes)
        except ApiError as error:
            raise protocol_error(error) from error

    return answer


async def _noted(call: Call, name: str, answer: Callable[[], Awaitable[R]], *, changes: bool) -> R:
    """The answer, with the call's line in the audit log. Raises ApiError, also for what Kubernetes refuses."""
    note_call(call.request, name, changes=changes, status=CLIENT_CLOSED_REQUEST)
    try:
        found = await answer()
    except KubeError as error:
        log.warning("kubernetes refused", path=call.request.url.path, call=name, error=str(error))
        refusal = from_kube(error)
        note_call(call.request, name, changes=changes, status=refusal.status)
        raise refusal from error
    except ApiError as error:
        note_call(call.request, name, changes=changes, status=error.status)
        raise
    except Exception as error:
        log.error("unexpected failure", path=call.request.url.path, call=name, exc_info=error)
        note_call(call.request, name, changes=changes, status=500)
        raise ApiError(500, "internal", "An unexpected failure of this service.") from error
    note_call(call.request, name, changes=changes, status=200)
    return found


def _call(ctx: Context) -> Call:
    request = ctx.request
    assert request is not None  # every message comes over HTTP
    wanted = (ctx.meta or {}).get("progress_token") is not None

    async def report(progress: float, message: str) -> None:
        await ctx.session.report_progress(progress, 1.0, message)

    return Call(request, report if wanted else None)


def _described(tool: Tool) -> ToolAnswer:
    return ToolAnswer(
        name=tool.name,
        description=tool.description,
        input_schema=tool.schema,
        annotations=ToolAnnotations(
            read_only_hint=tool.reads,
            destructive_hint=tool.ends,
            idempotent_hint=tool.repeatable,
            open_world_hint=False,
        ),
    )
