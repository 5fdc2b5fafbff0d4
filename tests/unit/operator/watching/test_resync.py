"""The resync: what lists say against what the cache holds, and how it goes on when lists fail."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from mediatask_common.kube import CLASSES, JOBS, PODS, TASKS, Kube, KubeError, Object, Resource
from mediatask_crds.names import ANNOTATION_TASK, API_VERSION, LABEL_MANAGED_BY, MANAGED_BY
from mediatask_operator.metrics import Metrics
from mediatask_operator.objects import Key
from mediatask_operator.watching import resync as resync_module
from mediatask_operator.watching.cache import Cache
from mediatask_operator.watching.resync import Resync


def task(name: str, version: int, namespace: str = "a") -> Object:
    meta = {"name": name, "namespace": namespace, "uid": f"task-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"taskType": "generate_image"}, "status": {"attempt": 1}}


def job(name: str, version: int) -> Object:
    owner = {"apiVersion": API_VERSION, "kind": "MediaTask", "name": name, "uid": f"task-{name}", "controller": True}
    meta = {"name": name, "namespace": "a", "uid": f"job-{name}", "resourceVersion": str(version)}
    return {"metadata": {**meta, "ownerReferences": [owner]}, "spec": {}, "status": {}}


def pod(name: str, version: int) -> Object:
    owner = {"kind": "Job", "name": name, "uid": f"job-{name}", "controller": True}
    meta = {"name": name, "namespace": "a", "uid": f"pod-{name}", "resourceVersion": str(version)}
    return {"metadata": {**meta, "annotations": {ANNOTATION_TASK: name}, "ownerReferences": [owner]}, "status": {}}


def task_class(name: str, version: int) -> Object:
    spec = {"taskTypes": ["generate_image"], "image": "python"}
    return {"metadata": {"name": name, "uid": f"class-{name}", "resourceVersion": str(version)}, "spec": spec}


class Server:
    """An API server: what it lists, one object a page, and as of which version."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str | None], list[Object]] = {}
        self.versions: dict[str | None, int] = {}
        self.fails = 0
        self.asked: list[float] = []
        self.selectors: dict[Resource, str | None] = {}

    async def list(self, resource: Resource, namespace: str | None, **params: str) -> Object:
        self.selectors[resource] = params.get("labelSelector")
        if resource is CLASSES:
            self.asked.append(asyncio.get_running_loop().time())
            if self.fails:
                self.fails -= 1
                raise KubeError(500, "InternalError", "etcd is away")
        found = self.objects.get((resource, namespace), [])
        index = int(params.get("continue", "0"))
        more = {"continue": str(index + 1)} if index + 1 < len(found) else {}
        version = str(self.versions.get(namespace, 100))
        return {"metadata": {"resourceVersion": version, **more}, "items": found[index : index + 1]}


class Told:
    """What a resync tells."""

    def __init__(self) -> None:
        self.changed: list[Key] = []
        self.gone: list[Key] = []
        self.classes = 0

    def task(self, key: Key, last: Object | None) -> None:
        (self.changed if last is None else self.gone).append(key)

    def task_class(self) -> None:
        self.classes += 1


class World:
    """A cache, a server and the resync between them."""

    def __init__(self, *namespaces: str) -> None:
        self.server, self.cache, self.metrics = Server(), Cache(), Metrics()
        self.resync = Resync(cast(Kube, self.server), self.cache, list(namespaces), self.metrics)

    async def compare(self) -> tuple[int, Told]:
        told = Told()
        return await self.resync.compare(told.task, told.task_class), told


async def test_what_the_watches_have_not_told_is_found() -> None:
    world = World("a")
    world.cache.put_task(task("gone", 1))
    world.cache.put_class(task_class("gone", 2))
    world.server.objects = {
        (TASKS, "a"): [task("one", 3), task("two", 4)],
        (JOBS, "a"): [job("one", 5)],
        (PODS, "a"): [pod("one", 6)],
        (CLASSES, None): [task_class("image", 7)],
    }
    differences, told = await world.compare()
    assert differences == 7
    assert set(told.changed) == {("a", "one"), ("a", "two")}
    assert (told.gone, told.classes) == ([("a", "gone")], 1)
    assert set(world.cache.classes) == {"image"}
    entry = world.cache.get(("a", "one"))
    assert (len(entry.jobs), len(entry.pods)) == (1, 1)
    assert (await world.compare())[0] == 0
    ours = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    assert world.server.selectors == {TASKS: None, CLASSES: None, JOBS: ours, PODS: ours}, "nobody else's Jobs and pods"


async def test_what_went_at_the_version_of_the_list_is_gone() -> None:
    world = World("a")
    world.server.versions = {"a": 10, None: 10}
    world.cache.put_task(task("gone", 10))
    world.cache.put_class(task_class("gone", 10))
    assert (await world.compare())[0] == 2
    assert not world.cache.classes


def test_no_pause_before_the_first_lists_is_shorter_than_the_one_before() -> None:
    assert list(resync_module.FIRST_PAUSES) == sorted(resync_module.FIRST_PAUSES)
    assert resync_module.FIRST_PAUSES[0] < 1


async def test_jobs_and_pods_that_are_gone_are_told_once() -> None:
    world = World("a")
    world.cache.put_task(task("one", 1))
    world.cache.put_job(job("one", 2))
    pod_ = pod("one", 3)
    pod_["metadata"]["labels"] = {"tasks.ft.tc/attempt": "1"}
    world.cache.put_pod(pod_)
    world.server.objects = {(TASKS, "a"): [task("one", 1)], (JOBS, "a"): [job("one", 2)]}
    differences, told = await world.compare()
    assert (differences, told.changed) == (1, [("a", "one")])
    assert [kept["gone"] for kept in world.cache.get(("a", "one")).pods.values()] == [True]
    assert (await world.compare())[0] == 0, "a deleted pod that is remembered is no difference"
    del world.server.objects[JOBS, "a"]
    assert (await world.compare())[0] == 1
    assert not world.cache.get(("a", "one")).jobs


async def test_what_is_younger_than_the_list_is_not_gone() -> None:
    world = World("a")
    world.server.versions = {"a": 10, None: 10}
    world.cache.put_task(task("young", 11))
    world.cache.put_job(job("young", 12))
    world.cache.put_pod(pod("young", 13))
    world.cache.put_class(task_class("young", 14))
    assert (await world.compare())[0] == 0
    entry = world.cache.get(("a", "young"))
    assert entry.task is not None
    assert (len(entry.jobs), len(entry.pods), set(world.cache.classes)) == (1, 1, {"young"})


async def test_of_several_namespaces_the_oldest_list_counts() -> None:
    """A task that was made between the list of its namespace and that of the next is not gone."""
    world = World("a", "b")
    world.server.versions = {"a": 10, "b": 20, None: 20}
    world.cache.put_task(task("between", 15))
    assert (await world.compare())[0] == 0
    assert world.cache.get(("a", "between")).task is not None


async def test_a_resync_that_fails_is_repeated_after_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync_module, "RELIST_PAUSE_SECONDS", 0.02)
    world, told, changed, counted = World("a"), Told(), asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(world.metrics.drift, "inc", lambda number: counted.set() if number == 1 else None)
    world.server.fails = 4
    world.server.objects = {(TASKS, "a"): [task("one", 3)]}

    def tell(key: Key, last: Object | None) -> None:
        told.task(key, last)
        changed.set()

    world.resync.soon()
    running = asyncio.create_task(world.resync.run(600, tell, told.task_class))
    try:
        await asyncio.wait_for(changed.wait(), 10)
        await asyncio.wait_for(counted.wait(), 10)
    finally:
        running.cancel()
    pauses = [later - earlier for earlier, later in zip(world.server.asked, world.server.asked[1:], strict=False)]
    assert all(pause >= least for pause, least in zip(pauses, (0.04, 0.08, 0.16, 0.32), strict=True))
    assert told.changed == [("a", "one")]


async def test_the_first_one_waits_for_a_server_that_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync_module, "FIRST_PAUSES", (0.01,))
    world = World()
    world.server.fails = 2
    world.server.objects = {(TASKS, None): [task("one", 3)]}
    prepared: list[Any] = []

    async def prepare() -> None:
        prepared.append(None)

    await asyncio.wait_for(world.resync.first(prepare), 10)
    assert len(prepared) == 3
    first, second, third = world.server.asked
    assert min(second - first, third - second) >= 0.01, "a server that is busy is not asked all the time"
    assert set(world.cache.entries) == {("a", "one")}
    assert world.metrics.registry.get_sample_value("mediatask_last_resync_timestamp_seconds")


async def test_it_is_made_when_it_is_asked_for_and_otherwise_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync_module, "RELIST_PAUSE_SECONDS", 0.001)
    world, told = World("a"), Told()
    world.server.objects = {(CLASSES, None): [task_class("image", 7)]}
    running = asyncio.create_task(world.resync.run(600, told.task, told.task_class))
    await asyncio.sleep(0.05)
    assert not world.server.asked, "nobody has asked for one"
    world.resync.soon()
    async with asyncio.timeout(10):
        while not told.classes:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    running.cancel()
    assert (len(world.server.asked), told.classes) == (1, 1), "a class that has come is told, too"
    world.server.objects = {}
    assert (await world.compare())[1].classes == 1, "and one that has gone"
