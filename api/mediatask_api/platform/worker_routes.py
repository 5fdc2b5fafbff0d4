"""Workers."""

from __future__ import annotations

from fastapi import APIRouter

from mediatask_common.kube import NODES, PODS, KubeError
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY, label_value

from ..auth.guard import Caller
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi import problems
from ..tasks.schemas import WorkersAnswer
from .workers import workers_status

router = APIRouter(prefix=f"{BASE}/workers", tags=["monitoring"])


@router.get("/status", response_model=WorkersAnswer, responses=problems(401, 503))
async def status(services: Ctx, caller: Caller) -> WorkersAnswer:
    """A worker is a live Job pod, or a GPU that waits for one."""
    selector = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    namespace = services.settings.namespace
    pods = [pod async for pod in services.kube.list_all(PODS, namespace, labelSelector=selector)]
    try:
        nodes = [node async for node in services.kube.list_all(NODES)]
    except KubeError as error:
        if error.status != 403:
            raise
        nodes = []  # an installation without cluster-wide rights: free slots cannot be seen
    seen = {label_value(project) for project in caller.projects}
    return workers_status(pods, nodes, lambda project: caller.all_projects or project in seen)
