"""The resync: what the API server lists, compared with what the watches have told.

A watch may lose events (a relist after 410 never says what was deleted meanwhile), so the cache is compared with
lists: before anything is reconciled, after every relist, and every ten minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mediatask_common.kube import CLASSES, JOBS, PODS, TASKS, Kube, KubeError, Resource
from mediatask_common.logging import get_logger
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY

from ..metrics import Metrics
from ..objects import Key, Object
from .cache import Cache

K = TypeVar("K")

log = get_logger(__name__)

PAGE = 250
"""Objects per page: a page of whole objects is held in memory at a time."""
FIRST_PAUSES = (0.2, 0.5, 1, 2, 5, 10)
"""Seconds between looks for an API server that knows our kinds; the last one goes on."""
RELIST_PAUSE_SECONDS = 2.0
"""After a relist its events arrive over a moment: one resync follows them all."""
MOST_PAUSE_SECONDS = 60.0
"""A resync that fails is repeated after a pause that doubles up to this: whole lists are a load for the server."""


def selector(kind: Resource) -> dict[str, str]:
    """What is asked for of a kind: of Jobs and pods only ours."""
    return {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"} if kind in (JOBS, PODS) else {}


@dataclass
class Seen:
    """What a complete list has told, as of one version of the cluster. The objects went to the cache, page by page."""

    version: int = 0
    uids: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


class Resync:
    """Compares lists with the cache and corrects the cache: at the start, when asked for, and regularly."""

    def __init__(self, kube: Kube, cache: Cache, namespaces: list[str], metrics: Metrics) -> None:
        self._kube = kube
        self._cache = cache
        self._namespaces: list[str | None] = [*namespaces] or [None]
        self._metrics = metrics
        self._wanted = asyncio.Event()

    def soon(self) -> None:
        """A watch has begun anew: what it has missed is known by nobody else."""
        self._wanted.set()

    async def first(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Wait for an API server that knows our kinds, prepare it, and read everything."""
        pauses = iter(FIRST_PAUSES)
        while True:
            try:
                await prepare()
                await self.compare(lambda _key, _last: None, lambda: None)
                log.info("ready", tasks=len(self._cache.entries), classes=len(self._cache.classes))
                return
            except KubeError as error:
                pause = next(pauses, FIRST_PAUSES[-1])
                log.warning("not ready: cannot list", error=str(error), again_in=pause)
                await asyncio.sleep(pause)

    async def run(
        self, interval: float, task_changed: Callable[[Key, Object | None], None], class_changed: Callable[[], None]
    ) -> None:
        """Compare every `interval` seconds, and soon after it was asked for, until cancelled."""
        pause = RELIST_PAUSE_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._wanted.wait()
                await asyncio.sleep(pause)
            self._wanted.clear()
            try:
                differences = await self.compare(task_changed, class_changed)
                self._metrics.drift.inc(differences)
                if differences:
                    log.warning("resync found what the watches had not told", differences=differences)
                pause = RELIST_PAUSE_SECONDS
            except KubeError as error:
                pause = min(2 * pause, MOST_PAUSE_SECONDS)
                log.warning("resync failed", error=str(error), again_in=pause)
                self.soon()

    async def compare(
        self, task_changed: Callable[[Key, Object | None], None], class_changed: Callable[[], None]
    ) -> int:
        """List everything, correct the cache and report what was wrong.

        Args:
            task_changed: told the key of each task to look at again, and the task's last version if it is gone.
            class_changed: told that classes have changed.

        Returns:
            How many differences there were.

        Raises:
            KubeError: a list failed; what was corrected before stays corrected.
        """
        differences = await self._classes(class_changed)
        differences += await self._tasks(task_changed)
        jobs, new_jobs = await self._lists(JOBS, self._cache.put_job)
        pods, new_pods = await self._lists(PODS, self._cache.put_pod)
        keys = [*new_jobs, *new_pods, *self._drop_owned(jobs, pods)]
        for key in keys:
            task_changed(key, None)
        self._metrics.resynced.set(time.time())
        return differences + len(keys)

    async def _classes(self, class_changed: Callable[[], None]) -> int:
        seen, changed = await self._list(CLASSES, None, self._cache.put_class)
        gone = [
            name
            for name in list(self._cache.classes)
            if name not in seen.names and self._cache.class_version(name) <= seen.version
        ]
        for name in gone:
            self._cache.drop_class({"metadata": {"name": name}})
        if changed or gone:
            class_changed()
        return len(changed) + len(gone)

    async def _tasks(self, task_changed: Callable[[Key, Object | None], None]) -> int:
        seen, changed = await self._lists(TASKS, self._cache.put_task)
        for key in changed:
            task_changed(key, None)
        gone = [task for task in self._cache.tasks() if _missing(task, seen)]
        for task in gone:
            dropped = self._cache.drop_task(task)
            if dropped:
                task_changed(dropped, task)
        return len(changed) + len(gone)

    def _drop_owned(self, jobs: Seen, pods: Seen) -> list[Key]:
        """Forget cached Jobs and pods that are not there any more; the keys of their tasks."""
        keys = []
        for key, entry in list(self._cache.entries.items()):
            for job in list(entry.jobs.values()):
                if _missing(job, jobs):
                    self._cache.drop_job(job)
                    keys.append(key)
            for pod in list(entry.pods.values()):
                if not pod.get("gone") and _missing(pod, pods):
                    self._cache.drop_pod(pod)
                    keys.append(key)
        return keys

    async def _lists(self, kind: Resource, put: Callable[[Object], K | None]) -> tuple[Seen, list[K]]:
        """The kind in every namespace that is served; of several versions the oldest counts."""
        seen, changed = [], []
        for namespace in self._namespaces:
            one, news = await self._list(kind, namespace, put)
            seen.append(one)
            changed += news
        uids = set().union(*(one.uids for one in seen))
        return Seen(min(one.version for one in seen), uids), changed

    async def _list(
        self, kind: Resource, namespace: str | None, put: Callable[[Object], K | None]
    ) -> tuple[Seen, list[K]]:
        """Put each object into the cache; what was news there is returned as `put` names it.

        No page is kept: whole lists of whole objects were most of the operator's memory after a restart.
        """
        seen, changed = Seen(), []
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = await self._kube.list(kind, namespace, limit=str(PAGE), **selector(kind), **more)
            for obj in page["items"]:
                seen.uids.add(obj["metadata"]["uid"])
                seen.names.add(obj["metadata"]["name"])
                news = put(obj)
                if news is not None:
                    changed.append(news)
            token = page["metadata"].get("continue", "")
            if not token:
                seen.version = int(page["metadata"]["resourceVersion"])
                return seen, changed


def _missing(obj: Object, seen: Seen) -> bool:
    """Whether a cached object is gone: not in the list, though it is not younger than the list."""
    return obj["metadata"]["uid"] not in seen.uids and int(obj["metadata"]["resourceVersion"]) <= seen.version
