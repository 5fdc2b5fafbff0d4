"""The sweep: what the API server lists, compared with what the watches have told.

A watch may lose events (a relist after 410 never says what was deleted meanwhile), so the cache is compared with
lists: before anything is reconciled, after every relist, and every ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediatask_common.kube import CLASSES, JOBS, PODS, TASKS, Kube, Resource
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY

from .admission import Key
from .cache import Cache
from .observe import Object

PAGE = 500
OURS = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}


@dataclass(frozen=True)
class Snapshot:
    """A complete list, as of one version of the cluster."""

    version: int
    items: list[Object]


class Sweeper:
    """Compares lists with the cache and corrects the cache."""

    def __init__(self, kube: Kube, cache: Cache, namespaces: list[str]) -> None:
        self._kube = kube
        self._cache = cache
        self._namespaces: list[str | None] = [*namespaces] or [None]

    async def sweep(self, task_changed: Callable[[Key, Object | None], None], class_changed: Callable[[], None]) -> int:
        """List everything, correct the cache and report what was wrong.

        Args:
            task_changed: told the key of each task to look at again, and the task's last version if it is gone.
            class_changed: told that classes have changed.

        Returns:
            How many differences there were.

        Raises:
            KubeError: a list failed; what was corrected before stays corrected.
        """
        classes = await self._list(CLASSES, None)
        tasks, jobs, pods = [
            [await self._list(kind, namespace, **selector) for namespace in self._namespaces]
            for kind, selector in ((TASKS, {}), (JOBS, OURS), (PODS, OURS))
        ]
        differences = self._correct_classes(classes, class_changed)
        changed = [key for snapshot in tasks for obj in snapshot.items if (key := self._cache.put_task(obj))]
        for key in changed:
            task_changed(key, None)
        gone = self._gone_tasks(tasks)
        for obj in gone:
            dropped = self._cache.drop_task(obj)
            if dropped:
                task_changed(dropped, obj)
        differences += len(changed) + len(gone)
        differences += self._correct_owned(jobs, pods, task_changed)
        return differences

    async def _list(self, kind: Resource, namespace: str | None, **params: str) -> Snapshot:
        items: list[Object] = []
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = await self._kube.list(kind, namespace, limit=str(PAGE), **params, **more)
            items += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return Snapshot(int(page["metadata"]["resourceVersion"]), items)

    def _correct_classes(self, listed: Snapshot, class_changed: Callable[[], None]) -> int:
        changed = [name for obj in listed.items if (name := self._cache.put_class(obj))]
        there = {obj["metadata"]["name"] for obj in listed.items}
        gone = [
            name
            for name in list(self._cache.classes)
            if name not in there and self._cache.class_version(name) <= listed.version
        ]
        for name in gone:
            self._cache.drop_class({"metadata": {"name": name}})
        if changed or gone:
            class_changed()
        return len(changed) + len(gone)

    def _gone_tasks(self, listed: list[Snapshot]) -> list[Object]:
        """Cached tasks that the lists do not have, though they are not younger than the lists."""
        there = {obj["metadata"]["uid"] for snapshot in listed for obj in snapshot.items}
        oldest = min(snapshot.version for snapshot in listed)
        return [task for task in self._cache.tasks() if _missing(task, there, oldest)]

    def _correct_owned(
        self, jobs: list[Snapshot], pods: list[Snapshot], task_changed: Callable[[Key, Object | None], None]
    ) -> int:
        keys = [key for snapshot in jobs for obj in snapshot.items if (key := self._cache.put_job(obj))]
        keys += [key for snapshot in pods for obj in snapshot.items if (key := self._cache.put_pod(obj))]
        listed_jobs = {obj["metadata"]["uid"] for snapshot in jobs for obj in snapshot.items}
        listed_pods = {obj["metadata"]["uid"] for snapshot in pods for obj in snapshot.items}
        for key, entry in list(self._cache.entries.items()):
            for job in list(entry.jobs.values()):
                if _missing(job, listed_jobs, min(snapshot.version for snapshot in jobs)):
                    self._cache.drop_job(job)
                    keys.append(key)
            for pod in list(entry.pods.values()):
                if not pod.get("gone") and _missing(pod, listed_pods, min(s.version for s in pods)):
                    self._cache.drop_pod(pod)
                    keys.append(key)
        for key in keys:
            task_changed(key, None)
        return len(keys)


def _missing(obj: Object, listed: set[str], version: int) -> bool:
    return obj["metadata"]["uid"] not in listed and int(obj["metadata"]["resourceVersion"]) <= version
