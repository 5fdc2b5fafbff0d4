"""Health, the services around, and statistics."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response

from mediatask_crds.task import Phase

from ..auth.access import Caller, public, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi.document import Answers
from ..http.route import Route
from .schemas import UNHEALTHY_SAMPLE, HealthAnswer, ServiceAnswer, ServicesAnswer, StatsAnswer

_UNHEALTHY: Answers = {
    503: {
        "model": HealthAnswer,
        "description": "Kubernetes is away.",
        "content": {"application/json": {"example": UNHEALTHY_SAMPLE}},
    }
}

router = APIRouter(prefix=BASE, tags=["monitoring"], route_class=Route)


@router.head("/health", dependencies=[public], include_in_schema=False)
@router.get(
    "/health",
    operation_id="getHealth",
    dependencies=[public],
    response_model=HealthAnswer,
    responses=_UNHEALTHY,
)
async def health(services: Ctx) -> Response:
    """The service and what it depends on, each with its latency. Needs no key."""
    answer = await services.health.check()
    return Response(
        answer.model_dump_json(),
        status_code=503 if answer.status == "unhealthy" else 200,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@router.head("/health/live", dependencies=[public], include_in_schema=False)
@router.get(
    "/health/live",
    operation_id="getLiveness",
    dependencies=[public],
    responses={200: {"content": {"application/json": {"example": {"status": "alive"}}}}},
)
async def live() -> dict[str, str]:
    """The process answers. Needs no key."""
    return {"status": "alive"}


@router.head("/health/ready", dependencies=[public], include_in_schema=False)
@router.get(
    "/health/ready",
    operation_id="getReadiness",
    dependencies=[public],
    response_model=HealthAnswer,
    responses=_UNHEALTHY,
)
async def ready(services: Ctx) -> Response:
    """Requests can be served, which takes Kubernetes and nothing else. Needs no key."""
    return await health(services)


@router.get(
    "/services",
    operation_id="listServices",
    dependencies=[require("platform:read")],
    response_model=ServicesAnswer,
)
async def services_around(services: Ctx) -> ServicesAnswer:
    """The services that this one is configured to work with, and whether they answer. Takes a second at most."""
    return ServicesAnswer(
        environment=services.settings.environment,
        version=version("mediatask"),
        services=[
            ServiceAnswer(
                name=neighbour.name,
                url=neighbour.url,
                state=found.state,
                latency_ms=found.latency_ms,
                checked_at=found.checked_at,
                message=found.message,
            )
            for neighbour, found in await services.neighbours.states()
        ],
    )


@router.get(
    "/stats",
    operation_id="getStats",
    dependencies=[require("platform:read")],
    response_model=StatsAnswer,
)
async def stats(services: Ctx, caller: Caller) -> StatsAnswer:
    """Counts of tasks by status and type, in the projects of the key."""
    counts = await services.reader.counts(None if caller.all_projects else caller.projects)
    by_status = {phase.value: 0 for phase in Phase}
    by_type: dict[str, dict[str, int]] = {}
    for (phase, task_type), count in sorted(counts.items()):
        by_status[phase] += count
        by_type.setdefault(task_type, {})[phase] = count
    return StatsAnswer(total=sum(counts.values()), by_status=by_status, by_type=by_type)
