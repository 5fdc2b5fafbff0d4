"""The watches of tasks and classes, and of what belongs to the tasks: their Jobs and pods.

Each event updates the cache and marks a key, and that is all. Listing is left to the resync: a watch begins at the
newest version, and a resync that begins later covers whatever was before.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mediatask_common.kube import CLASSES, JOBS, PODS, TASKS, Kube, KubeError, Resource
from mediatask_common.logging import get_logger

from ..objects import Key, Object
from .cache import Cache
from .resync import selector

log = get_logger(__name__)

SILENCE_SECONDS = 150.0
"""The API server sends a bookmark about every minute: a watch that is silent for longer has died unnoticed."""
FIRST_PAUSE_SECONDS = 0.1
MOST_PAUSE_SECONDS = 10.0
"""A watch that has ended begins again after a pause that doubles up to this while nothing comes."""

News = Callable[[Object, bool], None]
"""Takes an object as an event tells it, and whether it is gone."""


class Reflector:
    """Keeps the cache current."""

    def __init__(
        self,
        kube: Kube,
        cache: Cache,
        namespaces: list[str],
        task_changed: Callable[[Key, Object | None], None],
        class_changed: Callable[[], None],
        begun: Callable[[], None],
    ) -> None:
        """Follow tasks, Jobs and pods in these namespaces; in all where there are none.

        Args:
            task_changed: told the key of each task to look at again, and the task's last version when it was deleted.
            class_changed: told that a class came, went or changed.
            begun: told that a watch has begun anew, so that a resync is due for what was before.
        """
        self._kube = kube
        self._cache = cache
        self._namespaces: list[str | None] = [*namespaces] or [None]
        self._task_changed = task_changed
        self._class_changed = class_changed
        self._begun = begun

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(CLASSES, None, self._class))
            for namespace in self._namespaces:
                group.create_task(self._follow(TASKS, namespace, self._task))
                group.create_task(self._follow(JOBS, namespace, self._job))
                group.create_task(self._follow(PODS, namespace, self._pod))

    def _class(self, obj: Object, gone: bool) -> None:
        if self._cache.drop_class(obj) if gone else self._cache.put_class(obj):
            self._class_changed()

    def _task(self, obj: Object, gone: bool) -> None:
        if key := self._cache.drop_task(obj) if gone else self._cache.put_task(obj):
            self._task_changed(key, obj if gone else None)

    def _job(self, obj: Object, gone: bool) -> None:
        if key := self._cache.drop_job(obj) if gone else self._cache.put_job(obj):
            self._task_changed(key, None)

    def _pod(self, obj: Object, gone: bool) -> None:
        if key := self._cache.drop_pod(obj) if gone else self._cache.put_pod(obj):
            self._task_changed(key, None)

    async def _follow(self, resource: Resource, namespace: str | None, take: News) -> None:
        version: str | None = None
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                if version is None:
                    version = await self._newest(resource, namespace)
                    self._begun()
                watch = self._kube.watch(resource, namespace, version, silence=SILENCE_SECONDS, **selector(resource))
                async for kind, obj in watch:
                    version, pause = obj["metadata"]["resourceVersion"], FIRST_PAUSE_SECONDS
                    if kind != "BOOKMARK":
                        take(obj, kind == "DELETED")
            except KubeError as error:
                if error.status != 0 or pause > FIRST_PAUSE_SECONDS:
                    version = None  # more than a lost connection: whatever is the matter with it, begin anew
                log.info("watch ended", resource=resource.plural, error=str(error), again_in=pause)
            # Watches that end by themselves, as they do every hour, pause as well: thousands may begin again together.
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, MOST_PAUSE_SECONDS)

    async def _newest(self, resource: Resource, namespace: str | None) -> str:
        page = await self._kube.list(resource, namespace, limit="1", **selector(resource))
        version: str = page["metadata"]["resourceVersion"]
        return version
