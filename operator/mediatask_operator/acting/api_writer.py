"""Writes to the API server: paced by a token bucket, and counted."""

from __future__ import annotations

from collections.abc import Awaitable

from mediatask_common.kube import Kube, KubeError, Resource

from ..metrics import Metrics
from ..objects import Object, controller_uid
from ..workqueue import TokenBucket


class ApiWriter:
    """The one way by which the operator writes. Every method raises KubeError."""

    def __init__(self, kube: Kube, pace: TokenBucket, metrics: Metrics) -> None:
        self._kube = kube
        self._pace = pace
        self._metrics = metrics

    async def create(self, resource: Resource, body: Object, namespace: str) -> Object:
        """Create an object."""
        return await self._count("create", resource.plural, self._kube.create(resource, body, namespace))

    async def create_owned(self, resource: Resource, body: Object, namespace: str, owner: str) -> Object:
        """Create an object whose name is its own: one that is there already is as good, if it has this controller."""
        try:
            return await self.create(resource, body, namespace)
        except KubeError as error:
            if not error.already_exists:
                raise
            found = await self._kube.get(resource, body["metadata"]["name"], namespace)
            if controller_uid(found) != owner:
                raise
            return found

    async def patch(self, resource: Resource, name: str, namespace: str, body: Object) -> Object:
        """Merge a patch; with a resourceVersion in it, 409 when that is not the newest."""
        return await self._count("patch", resource.plural, self._kube.patch(resource, name, body, namespace))

    async def patch_status(self, resource: Resource, name: str, namespace: str, version: str, status: Object) -> Object:
        """Merge a patch into the status of the version that was read; 409 when that is not the newest."""
        body = {"metadata": {"resourceVersion": version}, "status": status}
        request = self._kube.patch(resource, name, body, namespace, subresource="status")
        return await self._count("patch", f"{resource.plural}/status", request)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        uid: str,
        *,
        propagation: str = "Background",
        grace_period_seconds: int | None = None,
    ) -> None:
        """Delete this very object, if it is still there."""
        request = self._kube.delete(
            resource,
            name,
            namespace,
            uid=uid,
            propagation=propagation,
            grace_period_seconds=grace_period_seconds,
        )
        try:
            await self._count("delete", resource.plural, request)
        except KubeError as error:
            if not error.not_found and error.status != 409:  # 409: another object of that name by now
                raise

    async def _count(self, verb: str, resource: str, request: Awaitable[Object]) -> Object:
        await self._pace.take()
        count = self._metrics.api_writes
        try:
            answer = await request
        except KubeError as error:
            count.labels(verb, resource, str(error.status)).inc()
            raise
        count.labels(verb, resource, "200").inc()
        return answer
