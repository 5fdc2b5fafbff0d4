"""Workers."""

from __future__ import annotations

from fastapi import APIRouter

from mediatask_crds.names import label_value

from ..auth.access import Caller, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.route import Route
from .schemas import WorkersAnswer
from .workers import live, workers_status

router = APIRouter(prefix=f"{BASE}/workers", tags=["monitoring"], route_class=Route)


@router.get(
    "/status",
    operation_id="listWorkers",
    dependencies=[require("platform:read")],
    response_model=WorkersAnswer,
)
async def status(services: Ctx, caller: Caller) -> WorkersAnswer:
    """A worker is a live Job pod, or a GPU that waits for one; from watches and the pods' own reports, a moment old."""
    pods, nodes = await services.machines.pods_and_nodes()
    usages = services.reports.of(services.settings.namespace).usages
    reported = await usages.of([pod["metadata"]["uid"] for pod in live(pods)])
    seen = {label_value(project) for project in caller.projects}
    return workers_status(pods, nodes, reported, lambda project: caller.all_projects or project in seen)
