"""Pods of tasks, and nodes, as they are now: from one watch of each, however many ask."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from mediatask_common.kube import NODES, PODS, Kube, KubeError, Object, Resource
from mediatask_common.logging import get_logger
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY

from ..http.errors import kubernetes_away

log = get_logger(__name__)

SILENCE_SECONDS = 150.0
"""The API server sends a bookmark about every minute: a watch that is silent for longer has died unnoticed."""
READY_SECONDS = 15.0
"""Longest wait of the first who asks."""
STALE_SECONDS = 15.0
"""For so long after a watch was lost its last news count."""
MOST_PAUSE_SECONDS = 5.0
FORBIDDEN_PAUSE_SECONDS = 60.0
PAGE = 500


class Machines:
    """The watches run from the first question on: who never asks costs the API server nothing."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        selector = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}
        self._pods = _Watched(kube, PODS, namespace, _slim_pod, selector)
        # An installation without cluster-wide rights sees no nodes, and so no free slots.
        self._nodes = _Watched(kube, NODES, None, _slim_node, {})

    async def pods_and_nodes(self) -> tuple[list[Object], list[Object]]:
        """What `workers_status` needs of each. Raises ApiError (503) where Kubernetes does not answer."""
        return await self._pods.now(), await self._nodes.now()

    async def close(self) -> None:
        await asyncio.gather(self._pods.close(), self._nodes.close())


class _Watched:
    """The objects of a collection."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        slim: Callable[[Object], Object],
        selector: dict[str, str],
    ) -> None:
        self._kube = kube
        self._resource = resource
        self._namespace = namespace
        self._slim = slim
        self._selector = selector
        self._objects: dict[str, Object] | None = None
        self._tried = asyncio.Event()
        self._lost_at: float | None = None
        self._following: asyncio.Task[None] | None = None

    async def now(self) -> list[Object]:
        """All of them. Raises ApiError (503)."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._tried.wait()
        except TimeoutError:
            raise kubernetes_away("try again") from None
        stale = self._lost_at is not None and time.monotonic() - self._lost_at > STALE_SECONDS
        if self._objects is None or stale:
            raise kubernetes_away("try again")
        return list(self._objects.values())

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def _follow(self) -> None:
        pause, version = 0.1, ""
        while True:
            try:
                if not version:
                    version, self._objects = await self._read()
                    self._lost_at = None
                    self._tried.set()
                changes = self._kube.watch(
                    self._resource, self._namespace, version, silence=SILENCE_SECONDS, **self._selector
                )
                objects = self._objects
                assert objects is not None
                async for kind, found in changes:
                    version, pause = found["metadata"]["resourceVersion"], 0.1
                    if kind == "DELETED":
                        objects.pop(found["metadata"]["uid"], None)
                    elif kind != "BOOKMARK":
                        objects[found["metadata"]["uid"]] = self._slim(found)
            except KubeError as error:
                # Begin anew, also after a lost connection: only an answered list shows that there is one again.
                version = ""
                if error.status == 403:
                    self._objects = {}
                    pause = FORBIDDEN_PAUSE_SECONDS
                else:
                    self._lost_at = self._lost_at or time.monotonic()
                log.info("watch ended", of=self._resource.plural, error=str(error), again_in=pause)
            except Exception:
                # Nothing may end this loop: whoever asks would be told old news for ever.
                version, self._lost_at = "", self._lost_at or time.monotonic()
                log.exception("watch failed", of=self._resource.plural)
            self._tried.set()
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, MOST_PAUSE_SECONDS)

    async def _read(self) -> tuple[str, dict[str, Object]]:
        """Version and objects of the collection."""
        objects: dict[str, Object] = {}
        version = ""
        async for page in self._kube.pages(self._resource, self._namespace, page=PAGE, **self._selector):
            version = version or page["metadata"]["resourceVersion"]
            objects |= {found["metadata"]["uid"]: self._slim(found) for found in page["items"]}
        return version, objects


def _slim_pod(pod: Object) -> Object:
    meta, status = pod["metadata"], pod.get("status") or {}
    return {
        "metadata": {name: meta[name] for name in ("name", "uid", "labels", "creationTimestamp") if name in meta},
        "spec": {
            "nodeName": pod["spec"].get("nodeName", ""),
            "containers": [{"resources": each.get("resources") or {}} for each in pod["spec"]["containers"]],
        },
        "status": {name: status[name] for name in ("phase", "startTime") if name in status},
    }


def _slim_node(node: Object) -> Object:
    status = node.get("status") or {}
    return {
        "metadata": {"name": node["metadata"]["name"]},
        "spec": {"unschedulable": (node.get("spec") or {}).get("unschedulable", False)},
        "status": {
            "allocatable": status.get("allocatable") or {},
            "conditions": [each for each in status.get("conditions") or [] if each.get("type") == "Ready"],
        },
    }
