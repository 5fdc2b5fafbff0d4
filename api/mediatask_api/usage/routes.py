"""What a project has used."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from mediatask_common.times import utcnow

from ..auth.access import Caller, check_project, project_not_found, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.project_routes import Project
from .grouping import answer, days
from .schemas import GroupBy, UsageAnswer

router = APIRouter(prefix=f"{BASE}/projects", tags=["projects"], route_class=Route)


def _written_as_a_day(value: Any) -> Any:
    """Not as a number of seconds, nor as one of ISO 8601's other forms."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a day is expected: 2026-11-21")
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_day)]


@router.get(
    "/{project_id}/usage",
    operation_id="getUsage",
    dependencies=[require("usage:read")],
    response_model=UsageAnswer,
    response_model_exclude_unset=True,
    responses=problems(project_not_found(PATH_SAMPLES["project_id"])),
)
async def usage(
    services: Ctx,
    caller: Caller,
    project_id: Project,
    first: Annotated[Day | None, Query(alias="from", description="First day, UTC; 29 days before `to`.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last day, UTC; today by default.")] = None,
    group_by: GroupBy = GroupBy.DAY,
) -> UsageAnswer:
    """Ended tasks and GPU time by day, type or class, of a year at most.

    With Redis it includes tasks that were deleted since; without, it is about those that are still there.
    """
    check_project(caller, project_id)
    wanted = days(first, last, utcnow().date())
    return answer(project_id, wanted, await services.reader.usage(project_id, wanted), group_by)
