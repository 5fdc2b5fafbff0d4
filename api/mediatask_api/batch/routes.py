"""Submit many tasks at once."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from ..auth.access import Caller, project_not_allowed, require
from ..auth.audit import note
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import JsonBody
from ..http.errors import ApiError, as_problem
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.schemas import SubmitAnswer
from ..tasks.service import Submitted
from ..tasks.submitting.idempotency import key_reused
from ..tasks.submitting.submission import Submission
from .schemas import BatchAnswer, BatchRequest, BatchResult
from .submission import prepare_each, submit_all, submit_each

router = APIRouter(prefix=f"{BASE}/tasks", tags=["tasks"], route_class=Route)

MAX_BODY_BYTES = 1024 * 1024


@router.post(
    "/batch",
    operation_id="submitTasks",
    dependencies=[require("tasks:submit")],
    response_model=BatchAnswer,
    response_model_exclude_unset=True,
    responses=problems(project_not_allowed(PATH_SAMPLES["project_id"]), key_reused()),
)
async def batch(
    request: Request,
    services: Ctx,
    caller: Caller,
    wanted: Annotated[BatchRequest, Depends(JsonBody(BatchRequest, MAX_BODY_BYTES))],
) -> BatchAnswer:
    """Submit 1 to 100 tasks. Each has a result of its own, or with `atomic` all are accepted or none."""
    prepared = prepare_each(wanted.tasks, services.urls)
    projects = Counter(item.request.project_id for item in prepared if isinstance(item, Submission))
    for project, tasks in projects.items():
        if caller.allows(project):
            await services.limiter.count_tasks(request, project, tasks)
    submit = submit_all if wanted.atomic else submit_each
    results = await submit(services.tasks, caller, prepared)
    for item, done in zip(wanted.tasks, results, strict=True):
        if isinstance(done, Submitted):
            services.metrics.submitted.labels(item["task_type"], str(done.replayed).lower()).inc()
    note(request, tasks=[done.task_id for done in results if isinstance(done, Submitted)])
    return BatchAnswer(results=[_result(index, done, request) for index, done in enumerate(results)])


def _result(index: int, done: Submitted | ApiError, request: Request) -> BatchResult:
    if isinstance(done, Submitted):
        return BatchResult(index=index, status=202, task=SubmitAnswer.model_validate_json(done.answer))
    return BatchResult(index=index, status=done.status, error=as_problem(done, request.url.path))
