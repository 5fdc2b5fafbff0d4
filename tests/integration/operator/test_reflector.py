"""The watches: what they tell, and how they go on after every kind of end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from mediatask_common.kube import CLASSES, JOBS, PODS, TASKS, Kube, KubeError, Object, Resource
from mediatask_crds.names import API_VERSION, LABEL_MANAGED_BY, MANAGED_BY
from mediatask_operator.watching.cache import Cache
from mediatask_operator.watching.reflector import Reflector

KEY = ("default", "task")
Events = list[tuple[str, Object] | KubeError]


def job(version: int, uid: str = "j1") -> Object:
    owner = {"apiVersion": API_VERSION, "kind": "MediaTask", "name": "task", "uid": "t1", "controller": True}
    meta = {"name": "job", "namespace": "default", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**meta, "ownerReferences": [owner]}, "spec": {}, "status": {}}


def task(version: int) -> Object:
    meta = {"name": "task", "namespace": "default", "uid": "t1", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}}


def task_class(version: int) -> Object:
    spec = {"taskTypes": ["generate_image"], "image": "python"}
    return {"metadata": {"name": "image", "uid": "c1", "resourceVersion": str(version)}, "spec": spec}


class Server:
    """An API server whose watches of one kind play a script, one list of events each; the others never have news."""

    def __init__(self, *watches: Events, of: Resource = JOBS) -> None:
        self.newest = 10
        self.selectors: dict[Resource, str | None] = {}
        self._of = of
        self.since: list[str] = []
        self.played = asyncio.Event()
        self._watches = iter(watches)

    async def list(self, resource: Resource, namespace: str | None, **_: str) -> Object:
        return {"metadata": {"resourceVersion": str(self.newest)}, "items": []}

    async def watch(
        self, resource: Resource, namespace: str | None, version: str, **params: Any
    ) -> AsyncIterator[tuple[str, Object]]:
        self.selectors[resource] = params.get("labelSelector")
        if resource is not self._of:
            await asyncio.Event().wait()
        self.since.append(version)
        events = next(self._watches, None)
        if events is None:
            self.played.set()
            await asyncio.Event().wait()
        for event in events or []:
            if isinstance(event, KubeError):
                raise event
            yield event


class Told:
    """What a Reflector tells."""

    def __init__(self) -> None:
        self.changed: list[tuple[str, str]] = []
        self.deleted: list[Object] = []
        self.classes = 0
        self.begun = 0

    def task_changed(self, key: tuple[str, str], last: Object | None) -> None:
        self.changed.append(key)
        if last is not None:
            self.deleted.append(last)

    def class_changed(self) -> None:
        self.classes += 1

    def begin(self) -> None:
        self.begun += 1


async def follow(server: Server) -> tuple[Cache, Told]:
    cache, told = Cache(), Told()
    reflector = Reflector(cast(Kube, server), cache, [], told.task_changed, told.class_changed, told.begin)
    running = asyncio.create_task(reflector.run())
    await asyncio.wait_for(server.played.wait(), 5)
    running.cancel()
    return cache, told


async def test_events_reach_the_cache_and_name_their_task() -> None:
    server = Server([("ADDED", job(11)), ("MODIFIED", job(12)), ("MODIFIED", job(12)), ("DELETED", job(13))])
    cache, told = await follow(server)
    assert told.changed == [KEY, KEY, KEY]  # the third was no news
    assert not cache.get(KEY).jobs
    assert not told.deleted, "the task is there"


async def test_tasks_come_and_go() -> None:
    server = Server([("ADDED", task(11)), ("MODIFIED", task(12)), ("DELETED", task(13))], of=TASKS)
    cache, told = await follow(server)
    assert told.changed == [KEY, KEY, KEY]
    assert told.deleted == [task(13)], "who tells others of its end has its last version"
    assert cache.get(KEY).task is None


async def test_classes_come_and_go() -> None:
    server = Server([("ADDED", task_class(11)), ("MODIFIED", task_class(11)), ("DELETED", task_class(13))], of=CLASSES)
    cache, told = await follow(server)
    assert told.classes == 2  # the second was no news
    assert not cache.classes


async def test_of_jobs_and_pods_only_ours_are_followed() -> None:
    server = Server()
    await follow(server)
    ours = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    assert server.selectors == {CLASSES: None, TASKS: None, JOBS: ours, PODS: ours}


async def test_a_watch_that_ends_goes_on_where_it_ended() -> None:
    server = Server(
        [("ADDED", job(11)), ("BOOKMARK", {"metadata": {"resourceVersion": "20"}})], [("MODIFIED", job(21))]
    )
    _, told = await follow(server)
    assert server.since == ["10", "20", "21"]
    assert told.begun == 4  # each kind once


async def test_a_lost_connection_goes_on_where_it_was_lost() -> None:
    server = Server([("ADDED", job(11)), KubeError(0, "Unreachable", "reset")])
    _, told = await follow(server)
    assert server.since == ["10", "11"]
    assert told.begun == 4


@pytest.mark.parametrize("status", [410, 403, 500])
async def test_a_refused_watch_begins_anew_and_asks_for_a_resync(status: int) -> None:
    server = Server([("ADDED", job(11)), KubeError(status, "Expired", "too old")])
    server.newest = 50
    _, told = await follow(server)
    assert server.since == ["50", "50"]
    assert told.begun == 5


async def test_a_server_that_stays_away_is_begun_with_anew() -> None:
    server = Server([KubeError(0, "Unreachable", "refused")], [KubeError(0, "Unreachable", "refused")])
    _, told = await follow(server)
    assert server.since == ["10", "10", "10"]
    assert told.begun == 5
