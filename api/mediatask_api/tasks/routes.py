"""Tasks: submit, status, cancel, retry, logs, media."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from mediatask_common.budgets import Budget, Period, Standing
from mediatask_crds.task import Phase

from ..auth.access import Caller, access_ended, project_not_allowed, require, still_allowed, while_allowed
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import JsonBody
from ..http.caps import too_many_held
from ..http.openapi.document import header, problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from .accepting import accept
from .logs import open_log
from .refusals import (
    budget_exceeded,
    no_log,
    no_media,
    not_your_task,
    pod_not_started,
    task_finished,
    task_not_completed,
    task_not_found,
    task_not_queued,
    task_not_retryable,
)
from .schemas import ChangeRequest, EstimateAnswer, SubmitAnswer, SubmitRequest, TaskAnswer
from .submitting import idempotency
from .submitting.submission import prepare

router = APIRouter(prefix=f"{BASE}/tasks", tags=["tasks"], route_class=Route)

MAX_WAIT_SECONDS = 60.0
_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)
_TASK, _PROJECT = PATH_SAMPLES["task_id"], PATH_SAMPLES["project_id"]
_MANY_WAIT = too_many_held("This key has 128 held requests already")
_OVER_BUDGET = budget_exceeded(
    Standing(
        Budget(project=_PROJECT, period="month", amount="100", currency="EUR"),
        Period(date(2025, 9, 1), date(2025, 10, 1)),
        spent=99_900_000,
    ),
    "0.2",
)
_LOG = "loading the model\nstep 1 of 28\n"
_LOCATION = header("Where the task's status is.")
_SIGNED: Any = {"result": {"media_url": True, "artifacts": {"__all__": {"url"}}}}
"""What is signed anew for each answer."""
_ACCEPTED = {"description": "The task is accepted.", "headers": {"Location": _LOCATION}}


@router.post(
    "/submit",
    operation_id="submitTask",
    dependencies=[require("tasks:submit")],
    status_code=202,
    response_model=SubmitAnswer,
    responses={
        200: {"model": TaskAnswer, "description": "The task ended within the time that `Prefer: wait` gave."},
        202: {
            **_ACCEPTED,
            "headers": {
                "Location": _LOCATION,
                "Idempotency-Replayed": header("`true`: the task exists since an earlier request under this key."),
                "Preference-Applied": header("`wait=N`, where the answer was held."),
            },
        },
        **problems(_OVER_BUDGET, project_not_allowed(_PROJECT), idempotency.key_reused(), _MANY_WAIT),
    },
)
async def submit(
    request: Request,
    services: Ctx,
    caller: Caller,
    wanted: Annotated[SubmitRequest, Depends(JsonBody(SubmitRequest))],
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Repeating a request under the same key gives the first answer, and one task.",
            json_schema_extra={"minLength": 1, "maxLength": idempotency.MAX_LENGTH},
        ),
    ] = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: hold the answer up to N seconds (60 at most).")] = None,
) -> Response:
    """Accept a task. The answer comes at once; the work follows when a slot is free."""
    seconds = _wait_seconds(prefer)

    async def wait(task_id: str) -> TaskAnswer:
        return await services.tasks.wait(caller, task_id, seconds, request.is_disconnected)

    done, ended = await accept(request, services, caller, wanted, idempotency_key, wait if seconds else None)
    headers = {"Location": services.status_url(done.task_id)}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:g}"
    if ended is not None:
        return _json(ended.model_dump_json().encode(), 200, headers)
    return _json(done.answer, 202, headers)


@router.post(
    "/estimate",
    operation_id="estimateTask",
    dependencies=[require("tasks:submit")],
    response_model=EstimateAnswer,
    responses=problems(project_not_allowed(_PROJECT)),
)
async def estimate(
    services: Ctx, caller: Caller, wanted: Annotated[SubmitRequest, Depends(JsonBody(SubmitRequest))]
) -> EstimateAnswer:
    """How long such a task would wait and run, and what it would cost. Nothing is created."""
    return await services.tasks.estimate(caller, prepare(wanted, None, services.urls))


@router.get(
    "/{task_id}/status",
    operation_id="getTaskStatus",
    dependencies=[require("tasks:read")],
    response_model=TaskAnswer,
    responses={
        200: {"headers": {"ETag": header("Changes with the answer; send it back as If-None-Match.")}},
        304: {"description": "Nothing has changed since the ETag."},
        **problems(task_not_found(_TASK), _MANY_WAIT),
    },
)
async def status(
    request: Request,
    services: Ctx,
    caller: Caller,
    task_id: str,
    if_none_match: Annotated[str | None, Header()] = None,
    prefer: Annotated[
        str | None, Header(description="`wait=N`: hold the answer until the task ends, N seconds at most (60).")
    ] = None,
) -> Response:
    """A task's state."""
    seconds = _wait_seconds(prefer)
    if seconds:
        with services.caps.waiters.hold(caller.id):
            task = await services.tasks.wait(caller, task_id, seconds, request.is_disconnected)
        if not await still_allowed(request):
            raise access_ended()
    else:
        task = await services.tasks.status(caller, task_id)
    content = task.model_dump_json().encode()
    etag = _etag(task, content, services.settings.store.url_expiry_seconds)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:g}"
    if if_none_match is not None and {"*", etag} & {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return _json(content, 200, headers)


@router.delete(
    "/{task_id}/cancel",
    operation_id="cancelTask",
    dependencies=[require("tasks:cancel")],
    response_model=TaskAnswer,
    responses={
        202: {"model": TaskAnswer, "description": "The task is being stopped."},
        **problems(task_not_found(_TASK), not_your_task(), task_finished(Phase.COMPLETED)),
    },
)
async def cancel(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Cancel a queued or running task. 200: it is cancelled; 202: it is being stopped."""
    task = await services.tasks.cancel(caller, task_id)
    return _json(task.model_dump_json().encode(), 200 if task.status.terminal else 202, {})


@router.patch(
    "/{task_id}",
    operation_id="updateTask",
    dependencies=[require("tasks:prioritize")],
    response_model=TaskAnswer,
    responses=problems(task_not_found(_TASK), not_your_task(), task_not_queued(Phase.PROCESSING)),
)
async def change(
    services: Ctx, caller: Caller, task_id: str, wanted: Annotated[ChangeRequest, Depends(JsonBody(ChangeRequest))]
) -> Response:
    """Give a queued task another priority. Its place in the queue follows soon; once it runs, nothing changes."""
    task = await services.tasks.prioritize(caller, task_id, wanted.priority)
    return _json(task.model_dump_json().encode(), 200, {})


@router.post(
    "/{task_id}/retry",
    operation_id="retryTask",
    dependencies=[require("tasks:retry")],
    status_code=202,
    response_model=SubmitAnswer,
    responses={
        202: _ACCEPTED,
        **problems(task_not_found(_TASK), not_your_task(), task_not_retryable(Phase.COMPLETED)),
    },
)
async def retry(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Run a failed or cancelled task once more, under the same id."""
    answer = await services.tasks.retry(caller, task_id)
    return _json(answer, 202, {"Location": services.status_url(task_id)})


@router.get(
    "/{task_id}/media",
    operation_id="getTaskMedia",
    dependencies=[require("media:read")],
    status_code=302,
    response_class=RedirectResponse,
    responses={
        302: {"description": "Where the media is.", "headers": {"Location": header("URL of the media.")}},
        **problems(task_not_found(_TASK), no_media(), task_not_completed(Phase.PROCESSING)),
    },
)
async def media(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Redirect to the media of a completed task."""
    url = await services.tasks.media_url(caller, task_id)
    return RedirectResponse(url, status_code=302, headers={"Cache-Control": "no-store"})


async def _until_answered(services: Ctx, caller: Caller, follow: bool = False) -> AsyncIterator[AsyncExitStack]:
    """What ends with the answer, however that ends: the place among the followers, and what the route adds."""
    async with AsyncExitStack() as held:
        if follow:
            held.enter_context(services.caps.followers.hold(caller.id))
        yield held


@router.get(
    "/{task_id}/logs",
    operation_id="getTaskLogs",
    dependencies=[require("tasks:read")],
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/plain": {"example": _LOG}}, "description": "The log of the attempt."},
        **problems(task_not_found(_TASK), no_log(), pod_not_started(), too_many_held("This key has 16 logs already")),
    },
)
async def logs(
    request: Request,
    services: Ctx,
    caller: Caller,
    held: Annotated[AsyncExitStack, Depends(_until_answered)],
    task_id: str,
    follow: bool = False,
    attempt: Annotated[int | None, Query(ge=1, le=10**6, description="Whose log; the latest one's by default.")] = None,
) -> Response:
    """The log of an attempt; `follow` goes on until the pod ends, an hour at most by default.

    Once the pod is gone, it is the log's last 256 KiB.
    """
    task = await services.tasks.find(caller, task_id)
    seconds = services.settings.log_follow_seconds if follow else None
    lines = await held.enter_async_context(
        open_log(services.kube, services.store, task, attempt, seconds, request.is_disconnected)
    )
    lines = while_allowed(request, lines)
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _json(content: bytes, status_code: int, headers: dict[str, str]) -> Response:
    return Response(content, status_code=status_code, media_type="application/json", headers=headers)


def _etag(task: TaskAnswer, content: bytes, url_life_seconds: int) -> str:
    """Changes with the state, and in time before signed URLs of an earlier answer expire."""
    if task.result is not None:
        content = task.model_dump_json(exclude=_SIGNED).encode()
    period = int(time.time() / (url_life_seconds / 2))
    return f'W/"{hashlib.sha256(b"%d" % period + content).hexdigest()[:32]}"'


def _wait_seconds(prefer: str | None) -> float:
    found = _WAIT.search(prefer or "")
    return min(float(found.group(1)), MAX_WAIT_SECONDS) if found else 0.0
