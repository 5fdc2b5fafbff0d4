"""Watches of what belongs to the tasks: their Jobs and pods.

These send three quarters of all events, and an event through kopf costs fifteen times one that is read here
(docs/adr/0004-own-watches-for-jobs-and-pods.md). Listing is left to the resync: a watch begins at the newest version,
and a resync that begins later covers whatever was before.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mediatask_common.kube import JOBS, PODS, Kube, KubeError, Resource
from mediatask_common.logging import get_logger

from ..objects import Key, Object
from .cache import Cache
from .resync import OURS

log = get_logger(__name__)

SILENCE_SECONDS = 150.0
"""The API server sends a bookmark about every minute: a watch that is silent for longer has died unnoticed."""
MOST_PAUSE_SECONDS = 10.0


class Reflector:
    """Keeps the Jobs and pods in the cache current."""

    def __init__(
        self,
        kube: Kube,
        cache: Cache,
        namespaces: list[str],
        changed: Callable[[Key], None],
        begun: Callable[[], None],
    ) -> None:
        """Follow them in these namespaces; in all where there are none.

        Args:
            changed: told the key of each task to look at again.
            begun: told that a watch has begun anew, so that a resync is due for what was before.
        """
        self._kube = kube
        self._cache = cache
        self._namespaces: list[str | None] = [*namespaces] or [None]
        self._changed = changed
        self._begun = begun

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for namespace in self._namespaces:
                group.create_task(self._follow(JOBS, namespace, self._cache.put_job, self._cache.drop_job))
                group.create_task(self._follow(PODS, namespace, self._cache.put_pod, self._cache.drop_pod))

    async def _follow(
        self,
        resource: Resource,
        namespace: str | None,
        put: Callable[[Object], Key | None],
        drop: Callable[[Object], Key | None],
    ) -> None:
        version: str | None = None
        pause = 0.1
        while True:
            try:
                if version is None:
                    version = await self._newest(resource, namespace)
                    self._begun()
                watch = self._kube.watch(resource, namespace, version, silence=SILENCE_SECONDS, **OURS)
                async for kind, obj in watch:
                    version, pause = obj["metadata"]["resourceVersion"], 0.1
                    if kind == "BOOKMARK":
                        continue
                    key = drop(obj) if kind == "DELETED" else put(obj)
                    if key is not None:
                        self._changed(key)
            except KubeError as error:
                if error.status != 0 or pause > 0.1:
                    version = None  # more than a lost connection: whatever is the matter with it, begin anew
                log.info("watch ended", resource=resource.plural, error=str(error), again_in=pause)
            # Watches that end by themselves, as they do every hour, pause as well: thousands may begin again together.
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, MOST_PAUSE_SECONDS)

    async def _newest(self, resource: Resource, namespace: str | None) -> str:
        page = await self._kube.list(resource, namespace, limit="1", **OURS)
        version: str = page["metadata"]["resourceVersion"]
        return version
