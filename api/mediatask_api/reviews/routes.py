"""Reviews of held media."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ..auth.access import Caller, check_project, project_not_found, require
from ..auth.audit import note
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import JsonBody
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.refusals import task_not_found
from ..tasks.schemas import TaskAnswer
from .held import review_of, task_not_held, to_held
from .schemas import HeldTasks, ReviewRequest

router = APIRouter(prefix=BASE, tags=["reviews"], route_class=Route, dependencies=[require("results:review")])

MAX_LIMIT = 100


@router.get(
    "/reviews",
    operation_id="listReviews",
    response_model=HeldTasks,
    responses=problems(project_not_found(PATH_SAMPLES["project_id"])),
)
async def reviews(
    services: Ctx,
    caller: Caller,
    project_id: Annotated[str | None, Query(max_length=63, description="Of one project alone.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
) -> Response:
    """Tasks whose media waits for a review, the longest first, with links to the media."""
    if project_id is not None:
        check_project(caller, project_id)
    found = [
        task
        for task in await services.reader.held()
        if caller.allows(task["spec"]["projectId"]) and project_id in (None, task["spec"]["projectId"])
    ]
    shown = [to_held(task, services.store.download_url) for task in found[:limit]]
    answer = HeldTasks(reviews=[task for task in shown if task is not None], total=len(found))
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post(
    "/tasks/{task_id}/review",
    operation_id="reviewTask",
    response_model=TaskAnswer,
    responses=problems(task_not_found(PATH_SAMPLES["task_id"]), task_not_held()),
)
async def review(
    request: Request,
    services: Ctx,
    caller: Caller,
    task_id: str,
    wanted: Annotated[ReviewRequest, Depends(JsonBody(ReviewRequest))],
) -> TaskAnswer:
    """Release a task's held media, or reject it. The answer is final when the operator was quick."""
    note(request, decision=wanted.decision)
    return await services.tasks.review(caller, task_id, lambda task: review_of(task, wanted, caller.id))
