"""What a project has used."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BeforeValidator

from mediatask_common.times import utcnow

from ..auth.access import Caller, check_project, project_not_found, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi.document import header, problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.project_routes import Project
from ..tasks.reading.cursor import MAX_LENGTH as MAX_CURSOR
from ..tasks.reading.cursor import Cursor
from ..tasks.reading.reader import Filter
from .budgets import shown
from .grouping import answer, days
from .records import COLUMNS, as_csv, records
from .schemas import BudgetsAnswer, CostRecords, GroupBy, UsageAnswer

router = APIRouter(prefix=f"{BASE}/projects", tags=["projects"], route_class=Route)


def _written_as_a_day(value: Any) -> Any:
    """Not as a number of seconds, nor as one of ISO 8601's other forms."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a day is expected: 2026-11-21")
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_day)]
First = Annotated[Day | None, Query(alias="from", description="First day, UTC; 29 days before `to`.")]
Last = Annotated[Day | None, Query(alias="to", description="Last day, UTC; today by default.")]

TASKS_AT_ONCE = 200
"""Tasks that are looked at for one answer."""
_CSV = "text/csv"


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
    first: First = None,
    last: Last = None,
    group_by: GroupBy = GroupBy.DAY,
) -> UsageAnswer:
    """Ended tasks, GPU time and cost by day, type or class, of a year at most.

    With Redis it includes tasks that were deleted since; without, it is about those that are still there.
    """
    check_project(caller, project_id)
    wanted = days(first, last, utcnow().date())
    return answer(project_id, wanted, await services.reader.usage(project_id, wanted), group_by)


@router.get(
    "/{project_id}/budgets",
    operation_id="getBudgets",
    dependencies=[require("usage:read")],
    response_model=BudgetsAnswer,
    responses=problems(project_not_found(PATH_SAMPLES["project_id"])),
)
async def budgets(services: Ctx, caller: Caller, project_id: Project) -> BudgetsAnswer:
    """The project's budgets and how they stand, as the operator has recorded it in the last seconds."""
    check_project(caller, project_id)
    return shown(project_id, await services.budgets.of(project_id))


@router.get(
    "/{project_id}/usage/records",
    operation_id="getCostRecords",
    dependencies=[require("usage:read")],
    response_model=CostRecords,
    responses={
        200: {
            "content": {_CSV: {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)}\r\n"}},
            "headers": {"Link": header('Of CSV: `rel="next"`, where there is more.')},
        },
        **problems(project_not_found(PATH_SAMPLES["project_id"])),
    },
)
async def cost_records(
    request: Request,
    services: Ctx,
    caller: Caller,
    project_id: Project,
    first: First = None,
    last: Last = None,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of an answer.")] = None,
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="Instead of the header `Accept`.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """What each ended task has used and is charged, of a year at most; of the tasks that are still there.

    An answer looks at 200 tasks.
    """
    check_project(caller, project_id)
    wanted = days(first, last, utcnow().date())
    start = 0 if cursor is None else Cursor.parse(cursor)
    page = await services.reader.page(project_id, Filter(), start, TASKS_AT_ONCE)
    more = bool(page.tasks) and page.offset + TASKS_AT_ONCE < page.total
    following = str(Cursor.of(page.tasks[-1])) if more else None
    found = records(page.tasks, wanted)
    if form == "csv" or (form is None and _CSV in accept):
        link = request.url.include_query_params(cursor=following).query
        headers = {"Link": f'<?{link}>; rel="next"'} if following else {}
        return Response(as_csv(found, heading=cursor is None), media_type=f"{_CSV}; charset=utf-8", headers=headers)
    answer_ = CostRecords(records=found, next_cursor=following)
    return Response(answer_.model_dump_json(by_alias=True), media_type="application/json")
