"""What a project has used."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from mediatask_common.times import utcnow

from ..auth.access import Caller, check_project, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi import problems
from ..http.route import Route
from ..tasks.project_routes import Project
from .grouping import answer, days
from .schemas import GroupBy, UsageAnswer

router = APIRouter(prefix=f"{BASE}/projects", tags=["projects"], route_class=Route)


@router.get(
    "/{project_id}/usage",
    operation_id="getUsage",
    dependencies=[require("usage:read")],
    response_model=UsageAnswer,
    response_model_exclude_unset=True,
    responses=problems(400, 401, 403, 404, 503),
)
async def usage(
    services: Ctx,
    caller: Caller,
    project_id: Project,
    first: Annotated[date | None, Query(alias="from", description="First day, UTC; 29 days before `to`.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, UTC; today by default.")] = None,
    group_by: GroupBy = GroupBy.DAY,
) -> UsageAnswer:
    """Ended tasks and GPU time by day, type or class, of a year at most.

    With Redis it includes tasks that were deleted since; without, it is about those that are still there.
    """
    check_project(caller, project_id)
    wanted = days(first, last, utcnow().date())
    return answer(project_id, wanted, await services.reader.usage(project_id, wanted), group_by)
