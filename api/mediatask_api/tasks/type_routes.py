"""The catalogue of task types."""

from __future__ import annotations

from fastapi import APIRouter

from mediatask_crds.tasktypes import task_types

from ..auth.access import require
from ..dependencies import Ctx
from ..http import BASE
from ..http.errors import ApiError
from ..http.openapi.document import problems
from ..http.route import Route
from . import catalogue
from .reading.classes import Classes
from .schemas import TaskTypeAnswer, TaskTypeDetail

router = APIRouter(
    prefix=f"{BASE}/task-types", tags=["task types"], route_class=Route, dependencies=[require("platform:read")]
)


def _not_found(name: str) -> ApiError:
    detail = f"There is no task type {name!r}; there are {', '.join(task_types())}."
    return ApiError(404, "task-type-not-found", detail)


@router.get("", operation_id="listTaskTypes", response_model=list[TaskTypeAnswer])
async def all_types(services: Ctx) -> list[TaskTypeAnswer]:
    """The kinds of work there are."""
    return await summaries(services.classes)


@router.get(
    "/{name}", operation_id="getTaskType", response_model=TaskTypeDetail, responses=problems(_not_found("paint"))
)
async def one_type(services: Ctx, name: str) -> TaskTypeDetail:
    """One kind of work, with the JSON Schema of its `task_data`."""
    kind = task_types().get(name)
    if kind is None:
        raise _not_found(name)
    return catalogue.detail(kind, await services.classes.all())


async def summaries(classes: Classes) -> list[TaskTypeAnswer]:
    """Every task type in short, with its classes. Raises KubeError."""
    found = await classes.all()
    return [catalogue.summary(kind, found) for kind in task_types().values()]
