"""Priced classes and budgets in a running cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mediatask_common.kube import CLASSES, CONFIGMAPS, Kube, KubeError, Object
from mediatask_crds.names import API_VERSION

BUDGETS = "mediatask-budgets"
"""As the local mode calls the ConfigMap, in `default`."""


@asynccontextmanager
async def priced(kubeconfig: Path, cost: Object) -> AsyncIterator[Kube]:
    """Every test_prompt costs this meanwhile."""
    spec = {
        "taskTypes": ["test_prompt"], "default": True, "image": "python", "gpu": {"count": 0}, "cost": cost,
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}, "maxInFlight": 2,
    }  # fmt: skip
    # Of several defaults the first by name is taken.
    body = {"apiVersion": API_VERSION, "kind": "MediaTaskClass", "metadata": {"name": "a-priced"}, "spec": spec}
    async with await Kube.connect(kubeconfig) as kube:
        await kube.create(CLASSES, body)
        try:
            yield kube
        finally:
            await kube.delete(CLASSES, "a-priced")


async def put_budget(
    kube: Kube, project: str, amount: str, when: str = "refuse", place: tuple[str, str] = ("default", BUDGETS)
) -> None:
    """The project's budget for a month, in EUR; budgets of others stay."""
    entry = f"{{project: {project}, period: month, amount: '{amount}', currency: EUR, whenExceeded: {when}}}"
    namespace, name = place
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {project: entry}}
    try:
        await kube.create(CONFIGMAPS, body, namespace)
    except KubeError as error:
        if not error.already_exists:
            raise
        await kube.patch(CONFIGMAPS, name, {"data": body["data"]}, namespace)
