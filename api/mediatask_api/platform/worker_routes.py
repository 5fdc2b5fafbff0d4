"""Workers."""

from __future__ import annotations

from fastapi import APIRouter

from mediatask_common.kube import NODES, PODS, KubeError, Object
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY, label_value

from ..auth.access import Caller, require
from ..dependencies import Ctx, Services
from ..http import BASE
from ..http.route import Route
from .schemas import WorkersAnswer
from .workers import workers_status

router = APIRouter(prefix=f"{BASE}/workers", tags=["monitoring"], route_class=Route)


@router.get(
    "/status",
    operation_id="listWorkers",
    dependencies=[require("platform:read")],
    response_model=WorkersAnswer,
)
async def status(services: Ctx, caller: Caller) -> WorkersAnswer:
    """A worker is a live Job pod, or a GPU that waits for one. Some seconds old at most."""
    pods, nodes = await services.machines.get("all", lambda: _pods_and_nodes(services))
    seen = {label_value(project) for project in caller.projects}
    return workers_status(pods, nodes, lambda project: caller.all_projects or project in seen)


async def _pods_and_nodes(services: Services) -> tuple[list[Object], list[Object]]:
    selector = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    pods = [pod async for pod in services.kube.list_all(PODS, services.settings.namespace, labelSelector=selector)]
    try:
        nodes = [node async for node in services.kube.list_all(NODES)]
    except KubeError as error:
        if error.status != 403:
            raise
        nodes = []  # an installation without cluster-wide rights: free slots cannot be seen
    return pods, nodes
