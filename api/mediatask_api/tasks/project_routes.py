"""Projects: their tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from mediatask_crds.task import Phase
from mediatask_crds.tasktypes import task_types

from ..auth.access import Caller, project_not_found, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.errors import invalid_field
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from .reading.cursor import MAX_LENGTH as MAX_CURSOR
from .reading.cursor import Cursor
from .reading.reader import Filter
from .schemas import TaskPage

router = APIRouter(prefix=f"{BASE}/projects", tags=["projects"], route_class=Route)

MAX_LIMIT = 100
MAX_PAGE = 10**6

Project = Annotated[str, Path(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
TypeName = Annotated[str | None, Query(max_length=63, description="One of `GET /task-types`.")]


@router.get(
    "/{project_id}/tasks",
    operation_id="listTasks",
    dependencies=[require("tasks:read")],
    response_model=TaskPage,
    responses=problems(project_not_found(PATH_SAMPLES["project_id"])),
)
async def tasks(
    services: Ctx,
    caller: Caller,
    project_id: Project,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    cursor: Annotated[
        str | None,
        Query(
            max_length=MAX_CURSOR, description="`next_cursor` of an answer: goes on there, whatever was added since."
        ),
    ] = None,
    status: Phase | None = None,
    task_type: TypeName = None,
    tag: Annotated[str | None, Query(max_length=63, description="Only tasks with this tag.")] = None,
) -> Response:
    """A project's tasks, newest first."""
    if cursor is not None and page != 1:
        raise invalid_field(["query", "cursor"], "either a page or a cursor")
    check_type(task_type)
    start = (page - 1) * limit if cursor is None else Cursor.parse(cursor)
    found = await services.tasks.page(caller, project_id, Filter(status, task_type, tag), start, limit)
    return Response(found.model_dump_json(), media_type="application/json")  # valid already: not to be validated again


def check_type(name: str | None) -> None:
    """Raises ApiError (400) for a task type that there is not."""
    if name is not None and name not in task_types():
        raise invalid_field(["query", "task_type"], f"there is no such task type; there are {', '.join(task_types())}")
