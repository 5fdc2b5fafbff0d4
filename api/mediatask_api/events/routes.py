"""Server-sent events of a task and of a project."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from ..auth.access import Caller, check_project, principal_now, project_not_found, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.caps import too_many_held
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.project_routes import Project
from ..tasks.refusals import task_not_found
from .logs import tell_log
from .schemas import EVENT_STREAM

router = APIRouter(prefix=BASE, tags=["events"], route_class=Route)

_MANY = too_many_held("This key has 256 event streams already")
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LastEventId = Annotated[
    str | None, Header(description="Id of the last event that was seen, from any replica: the stream goes on after it.")
]


async def _until_answered(services: Ctx, caller: Caller) -> AsyncIterator[AsyncExitStack]:
    """What ends with the stream, however that ends."""
    async with AsyncExitStack() as held:
        held.enter_context(services.caps.streams.hold(caller.id))
        await services.events.feeds.ready()
        yield held


Held = Annotated[AsyncExitStack, Depends(_until_answered)]


@router.get(
    "/tasks/{task_id}/events",
    operation_id="streamTaskEvents",
    dependencies=[require("tasks:read")],
    response_class=StreamingResponse,
    responses={
        200: EVENT_STREAM,
        204: {"description": "The task has ended, and the last event that was seen is the end: there is nothing more."},
        **problems(task_not_found(PATH_SAMPLES["task_id"]), _MANY),
    },
)
async def task_events(
    request: Request,
    services: Ctx,
    caller: Caller,
    held: Held,
    task_id: str,
    include: Annotated[
        list[Literal["log", "preview"]] | None,
        Query(description="`log`: the log's lines, too. `preview`: small pictures while they are drawn."),
    ] = None,
    last_event_id: LastEventId = None,
) -> Response:
    """A task's events: first its present state, then each change, until it has ended."""
    wanted = frozenset(include or ())
    task = await services.tasks.find(caller, task_id)
    project = task["spec"]["projectId"]
    events = services.events
    subscription = held.enter_context(events.feeds.hub.subscribe(project, task_id, previews="preview" in wanted))
    if events.feeds.hub.has_newer(task):
        # What happened before the subscription is in the resource as it is now.
        task = await services.tasks.find(caller, task_id, true=True)
    first, seen = await events.streams.first_of_task(task, last_event_id)
    if not first and events.has_ended(task):
        return Response(status_code=204, headers=HEADERS)
    if "log" in wanted:
        held.enter_context(services.caps.followers.hold(caller.id))
        seconds = services.settings.log_follow_seconds
        telling = asyncio.create_task(
            tell_log(services.kube, services.store, services.reader, task, subscription, seconds)
        )
        held.push_async_callback(_end, telling)
    body = events.streams.task(subscription, first, seen, lambda: _may_read(request, project))
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


@router.get(
    "/projects/{project_id}/events",
    operation_id="streamProjectEvents",
    dependencies=[require("tasks:read")],
    response_class=StreamingResponse,
    responses={200: EVENT_STREAM, **problems(project_not_found(PATH_SAMPLES["project_id"]), _MANY)},
)
async def project_events(
    request: Request,
    services: Ctx,
    caller: Caller,
    held: Held,
    project_id: Project,
    last_event_id: LastEventId = None,
) -> Response:
    """Events of all tasks of a project: first its unfinished tasks as they are, then each change.

    Ids go with the changes of the resources; reports of progress between them have none. After a connection was lost
    no change of state is missing, but one may come again: `event_id` tells.
    """
    check_project(caller, project_id)
    events = services.events
    subscription = held.enter_context(events.feeds.hub.subscribe(project_id))
    first, seen = await events.streams.first_of_project(project_id, last_event_id)
    body = events.streams.project(subscription, first, seen, lambda: _may_read(request, project_id))
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


async def _may_read(request: Request, project: str) -> bool:
    """Whether the credentials of the request still reach the project."""
    caller = await principal_now(request)
    return caller is not None and "tasks:read" in caller.scopes and caller.allows(project)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
