"""Projects: their tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from mediatask_crds.task import Phase
from mediatask_crds.tasktypes import task_types

from ..auth.access import Caller, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.errors import invalid_field
from ..http.openapi import problems
from ..http.route import Route
from .schemas import TaskPage

router = APIRouter(prefix=f"{BASE}/projects", tags=["projects"], route_class=Route)

MAX_LIMIT = 100
MAX_PAGE = 10**6

Project = Annotated[str, Path(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
TypeName = Annotated[str | None, Query(max_length=63, description="One of `GET /task-types`.")]


@router.get(
    "/{project_id}/tasks",
    dependencies=[require("tasks:read")],
    response_model=TaskPage,
    responses=problems(400, 401, 403, 404, 503),
)
async def tasks(
    services: Ctx,
    caller: Caller,
    project_id: Project,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    status: Phase | None = None,
    task_type: TypeName = None,
) -> TaskPage:
    """A project's tasks, newest first."""
    if task_type is not None and task_type not in task_types():
        raise invalid_field(["query", "task_type"], f"there is no such task type; there are {', '.join(task_types())}")
    return await services.tasks.page(caller, project_id, page, limit, status, task_type)
