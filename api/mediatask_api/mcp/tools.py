"""What the tools do: the same services, checks and limits as the calls of REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mediatask_crds.task import Phase

from ..auth.access import access_ended, check_scope, still_allowed
from ..auth.audit import note
from ..http.body import parse
from ..tasks.accepting import accept
from ..tasks.project_routes import check_type
from ..tasks.reading.cursor import Cursor
from ..tasks.reading.reader import Filter
from ..tasks.schemas import SubmitAnswer, SubmitRequest, TaskAnswer
from ..tasks.type_routes import summaries
from .call import Call
from .catalogue import ListTasks, Nothing, OneTask, SubmitOptions, Tool, WaitForTask

Answer = SubmitAnswer | TaskAnswer | dict[str, Any]
Arguments = dict[str, Any]

_LISTED = {
    "task_id", "task_type", "status", "progress", "current_step", "created_at", "completed_at", "attempt", "tags",
}  # fmt: skip
"""Of a task in a list: agents pay for each word, and get_task has the rest."""


async def run(tool: Tool, call: Call, arguments: Arguments) -> Answer:
    """The answer of a tool. Raises ApiError and KubeError.

    Null says the same as an absent argument: some agents send all that a schema knows.
    """
    check_scope(call.caller, tool.scope)
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if tool.task_type is not None:
        return await _submit(call, tool.task_type, arguments)
    return await _OTHERS[tool.name](call, arguments)


async def _submit(call: Call, task_type: str, arguments: Arguments) -> Answer:
    given = {name: value for name, value in arguments.items() if name in SubmitOptions.model_fields}
    options = call.arguments(SubmitOptions, given)
    body = {name: value for name, value in arguments.items() if name not in given}
    if "task_type" not in body:  # else it is an argument that there is not
        body["task_type"] = task_type
    wanted = parse(SubmitRequest, body)

    async def wait(task_id: str) -> TaskAnswer:
        return await call.wait(task_id, options.wait_seconds)

    done, ended = await accept(
        call.request,
        call.services,
        call.caller,
        wanted,
        options.idempotency_key,
        wait if options.wait_seconds else None,
    )
    return ended or SubmitAnswer.model_validate_json(done.answer)


async def _get(call: Call, arguments: Arguments) -> Answer:
    return await call.services.tasks.status(call.caller, call.arguments(OneTask, arguments).task_id)


async def _wait(call: Call, arguments: Arguments) -> Answer:
    wanted = call.arguments(WaitForTask, arguments)
    with call.services.caps.waiters.hold(call.caller.id):
        task = await call.wait(wanted.task_id, wanted.wait_seconds)
    if not await still_allowed(call.request):
        raise access_ended()
    return task


async def _cancel(call: Call, arguments: Arguments) -> Answer:
    task_id = call.arguments(OneTask, arguments).task_id
    note(call.request, task=task_id)
    return await call.services.tasks.cancel(call.caller, task_id)


async def _retry(call: Call, arguments: Arguments) -> Answer:
    task_id = call.arguments(OneTask, arguments).task_id
    note(call.request, task=task_id)
    return SubmitAnswer.model_validate_json(await call.services.tasks.retry(call.caller, task_id))


async def _list(call: Call, arguments: Arguments) -> Answer:
    wanted = call.arguments(ListTasks, arguments)
    check_type(wanted.task_type)
    start = 0 if wanted.cursor is None else Cursor.parse(wanted.cursor)
    filters = Filter(Phase(wanted.status) if wanted.status else None, wanted.task_type, wanted.tag)
    page = await call.services.tasks.page(call.caller, wanted.project_id, filters, start, wanted.limit)
    tasks = [task.model_dump(mode="json", include=_LISTED) for task in page.tasks]
    return {"tasks": tasks, "total": page.total, "next_cursor": page.next_cursor}


async def _types(call: Call, arguments: Arguments) -> Answer:
    call.arguments(Nothing, arguments)
    return {"task_types": [kind.model_dump(mode="json") for kind in await summaries(call.services.classes)]}


_OTHERS: dict[str, Callable[[Call, Arguments], Awaitable[Answer]]] = {
    "get_task": _get,
    "wait_for_task": _wait,
    "cancel_task": _cancel,
    "retry_task": _retry,
    "list_tasks": _list,
    "list_task_types": _types,
}
