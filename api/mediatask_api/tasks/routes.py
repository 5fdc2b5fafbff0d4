"""Tasks: submit, status, cancel, retry, logs, media."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from ..auth.guard import Caller
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import parse, read_json
from ..http.openapi import json_body, problems
from . import idempotency
from .logs import log_of
from .schemas import SubmitAnswer, SubmitRequest, TaskAnswer

router = APIRouter(prefix=f"{BASE}/tasks", tags=["tasks"])

MAX_WAIT_SECONDS = 60.0
_WAIT = re.compile(r"(?:^|[,;]\s*)wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


@router.post(
    "/submit",
    status_code=202,
    response_model=SubmitAnswer,
    openapi_extra=json_body(SubmitRequest),
    responses={
        200: {"model": TaskAnswer, "description": "The task ended within the time that `Prefer: wait` gave."},
        **problems(400, 401, 403, 413, 422, 503),
    },
)
async def submit(
    request: Request,
    services: Ctx,
    caller: Caller,
    idempotency_key: Annotated[
        str | None, Header(description="Repeating a request under the same key gives the first answer, and one task.")
    ] = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: hold the answer up to N seconds (60 at most).")] = None,
) -> Response:
    """Accept a task. The answer comes at once; the work follows when a slot is free."""
    body = await read_json(request)
    wanted = parse(SubmitRequest, body)
    key = idempotency.check_key(idempotency_key) if idempotency_key is not None else None
    done = await services.tasks.submit(caller, wanted, idempotency.body_digest(body), key)
    services.metrics.submitted.labels(wanted.task_type, str(done.replayed).lower()).inc()
    headers = {"Location": f"{services.settings.public_url or ''}/api/v1/tasks/{done.task_id}/status"}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    seconds = _wait_seconds(prefer)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds:g}"
        task = await services.tasks.wait(caller, done.task_id, seconds)
        if task.status.terminal:
            return _json(task.model_dump_json().encode(), 200, headers)
    return _json(done.answer, 202, headers)


@router.get(
    "/{task_id}/status",
    response_model=TaskAnswer,
    responses={304: {"description": "Nothing has changed since the ETag."}, **problems(401, 404, 503)},
)
async def status(
    services: Ctx, caller: Caller, task_id: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """A task's state."""
    task = await services.tasks.status(caller, task_id)
    etag = _etag(task, services.settings.store.url_expiry_seconds)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and etag in [tag.strip() for tag in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    return _json(task.model_dump_json().encode(), 200, headers)


@router.delete(
    "/{task_id}/cancel",
    response_model=TaskAnswer,
    responses={
        202: {"model": TaskAnswer, "description": "The task is being stopped."},
        **problems(401, 404, 409, 503),
    },
)
async def cancel(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Cancel a queued or running task. 200: it is cancelled; 202: it is being stopped."""
    task = await services.tasks.cancel(caller, task_id)
    return _json(task.model_dump_json().encode(), 200 if task.status.terminal else 202, {})


@router.post("/{task_id}/retry", status_code=202, response_model=SubmitAnswer, responses=problems(401, 404, 409, 503))
async def retry(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Run a failed or cancelled task once more, under the same id."""
    return _json(await services.tasks.retry(caller, task_id), 202, {})


@router.get(
    "/{task_id}/media",
    status_code=302,
    response_class=RedirectResponse,
    responses=problems(401, 404, 409, 503),
)
async def media(services: Ctx, caller: Caller, task_id: str) -> Response:
    """Go to the media of a completed task."""
    url = await services.tasks.media_url(caller, task_id)
    return RedirectResponse(url, status_code=302, headers={"Cache-Control": "no-store"})


@router.get(
    "/{task_id}/logs",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/plain": {}}, "description": "The log of the latest attempt."},
        **problems(401, 404, 409, 503),
    },
)
async def logs(services: Ctx, caller: Caller, task_id: str, follow: bool = False) -> Response:
    """The log of the latest attempt's pod; `follow` goes on until the pod ends."""
    task = await services.tasks.find(caller, task_id)
    lines = await log_of(services.kube, task, follow=follow)
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _json(content: bytes, status_code: int, headers: dict[str, str]) -> Response:
    return Response(content, status_code=status_code, media_type="application/json", headers=headers)


def _etag(task: TaskAnswer, url_life_seconds: int) -> str:
    """Changes with the state, and in time before signed URLs of an earlier answer expire."""
    unsigned = task.model_copy(deep=True)
    if unsigned.result is not None:
        unsigned.result.media_url = None
        for artifact in unsigned.result.artifacts:
            artifact.url = ""
    period = int(time.time() / (url_life_seconds / 2))
    return f'W/"{hashlib.sha256(f"{period}{unsigned.model_dump_json()}".encode()).hexdigest()[:32]}"'


def _wait_seconds(prefer: str | None) -> float:
    found = _WAIT.search(prefer or "")
    return min(float(found.group(1)), MAX_WAIT_SECONDS) if found else 0.0
