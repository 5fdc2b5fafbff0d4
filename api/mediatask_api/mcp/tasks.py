"""The tasks extension (`io.modelcontextprotocol/tasks`): a MediaTask is the task, under the same id.

For clients that declare it: a submit answers with a task instead of a result, which they poll and may cancel. There is
nothing to keep, so any replica answers.
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY, RequestParams

from mediatask_crds.task import Phase

from ..auth.access import check_scope
from ..auth.audit import note
from ..http.errors import ApiError
from ..tasks.schemas import SubmitAnswer, TaskAnswer
from .call import Call
from .results import result_of

EXTENSION = "io.modelcontextprotocol/tasks"
POLL_MILLISECONDS = 1000
_STATUS = {Phase.QUEUED: "working", Phase.PROCESSING: "working", Phase.CANCELLED: "cancelled"}
"""A task that failed has completed with an error as its result: `failed` is about the protocol."""


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


def declared(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client of this very request knows the extension."""
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def require_declared(ctx: ServerRequestContext[Any, Any]) -> None:
    """Raises MCPError for other clients, as the extension asks."""
    if not declared(ctx):
        wanted: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", wanted)


def created(answer: SubmitAnswer) -> dict[str, Any]:
    """In place of the result of a submit."""
    return {"resultType": "task", **_task(answer.task_id, Phase.QUEUED, "waiting_in_queue", answer.created_at)}


async def get(call: Call, params: TaskParams) -> dict[str, Any]:
    """The state of a task, with the result of its submit once it has ended."""
    check_scope(call.caller, "tasks:read")
    answer = await call.services.tasks.status(call.caller, params.task_id)
    told = answer.error.message if answer.error is not None else answer.current_step
    moment = answer.completed_at or answer.started_at
    task = _task(answer.task_id, answer.status, told, answer.created_at, moment)
    if task["status"] == "completed":
        task["result"] = _plain(answer)
    return {"resultType": "complete", **task}


async def cancel(call: Call, params: TaskParams) -> dict[str, Any]:
    """Ask for the end of a task; one that has ended stays as it is."""
    check_scope(call.caller, "tasks:cancel")
    note(call.request, task=params.task_id)
    try:
        await call.services.tasks.cancel(call.caller, params.task_id)
    except ApiError as error:
        if error.status != 409:
            raise
    return {"resultType": "complete"}


async def update(call: Call, params: TaskParams) -> dict[str, Any]:
    """Tasks never ask for input: whatever is sent answers nothing."""
    check_scope(call.caller, "tasks:read")
    await call.services.tasks.find(call.caller, params.task_id)
    return {"resultType": "complete"}


def _task(
    task_id: str, phase: Phase, message: str | None, created_at: str, updated_at: str | None = None
) -> dict[str, Any]:
    return {
        "taskId": task_id,
        "status": _STATUS.get(phase, "completed"),
        **({"statusMessage": message} if message else {}),
        "createdAt": created_at,
        "lastUpdatedAt": updated_at or created_at,
        "ttlMs": None,
        "pollIntervalMs": POLL_MILLISECONDS,
    }


def _plain(answer: TaskAnswer) -> dict[str, Any]:
    return result_of(answer).model_dump(mode="json", by_alias=True, exclude_none=True)
