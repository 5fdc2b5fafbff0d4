"""Health, statistics, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mediatask_crds.task import Phase

from ..auth.guard import Caller
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi import problems
from ..tasks.schemas import HealthAnswer, StatsAnswer

router = APIRouter(prefix=BASE, tags=["monitoring"])
metrics_router = APIRouter(tags=["monitoring"])


@router.get(
    "/health",
    response_model=HealthAnswer,
    responses={503: {"model": HealthAnswer, "description": "Kubernetes is away."}},
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


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers. Needs no key."""
    return {"status": "alive"}


@router.get("/health/ready", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
async def ready(services: Ctx) -> Response:
    """Requests can be served, which takes Kubernetes and nothing else. Needs no key."""
    return await health(services)


@router.get("/stats", response_model=StatsAnswer, responses=problems(401, 503))
async def stats(services: Ctx, caller: Caller) -> StatsAnswer:
    """Counts of tasks by status and type, in the projects of the key."""
    counts = await services.reader.counts(None if caller.all_projects else caller.projects)
    by_status = {phase.value: 0 for phase in Phase}
    by_type: dict[str, dict[str, int]] = {}
    for (phase, task_type), count in sorted(counts.items()):
        by_status[phase] += count
        by_type.setdefault(task_type, {})[phase] = count
    return StatsAnswer(total=sum(counts.values()), by_status=by_status, by_type=by_type)


@metrics_router.get(f"{BASE}/metrics", include_in_schema=False)
@metrics_router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: Ctx) -> Response:
    """Metrics for Prometheus. Needs no key; holds no ids and no text of callers."""
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
