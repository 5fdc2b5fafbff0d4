"""The watches of Jobs and pods: what they tell, and how they go on after every kind of end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from mediatask_common.kube import JOBS, Kube, KubeError, Object, Resource
from mediatask_crds.names import API_VERSION
from mediatask_operator.watching.cache import Cache
from mediatask_operator.watching.reflector import Reflector

KEY = ("default", "task")
Events = list[tuple[str, Object] | KubeError]


def job(version: int, uid: str = "j1") -> Object:
    owner = {"apiVersion": API_VERSION, "kind": "MediaTask", "name": "task", "uid": "t1", "controller": True}
    meta = {"name": "job", "namespace": "default", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**meta, "ownerReferences": [owner]}, "spec": {}, "status": {}}


class Server:
    """An API server whose watches of Jobs play a script, one list of events each; pods never have news."""

    def __init__(self, *watches: Events) -> None:
        self.newest = 10
        self.since: list[str] = []
        self.played = asyncio.Event()
        self._watches = iter(watches)

    async def list(self, resource: Resource, namespace: str | None, **_: str) -> Object:
        return {"metadata": {"resourceVersion": str(self.newest)}, "items": []}

    async def watch(
        self, resource: Resource, namespace: str | None, version: str, **_: Any
    ) -> AsyncIterator[tuple[str, Object]]:
        if resource is not JOBS:
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
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1


async def follow(server: Server) -> tuple[Cache, Told]:
    cache, told = Cache(), Told()
    reflector = Reflector(cast(Kube, server), cache, [], told.changed.append, told.begin)
    running = asyncio.create_task(reflector.run())
    await asyncio.wait_for(server.played.wait(), 5)
    running.cancel()
    return cache, told


async def test_events_reach_the_cache_and_name_their_task() -> None:
    server = Server([("ADDED", job(11)), ("MODIFIED", job(12)), ("MODIFIED", job(12)), ("DELETED", job(13))])
    cache, told = await follow(server)
    assert told.changed == [KEY, KEY, KEY]  # the third was no news
    assert not cache.get(KEY).jobs


async def test_a_watch_that_ends_goes_on_where_it_ended() -> None:
    server = Server(
        [("ADDED", job(11)), ("BOOKMARK", {"metadata": {"resourceVersion": "20"}})], [("MODIFIED", job(21))]
    )
    _, told = await follow(server)
    assert server.since == ["10", "20", "21"]
    assert told.begun == 2  # Jobs and pods, once each


async def test_a_lost_connection_goes_on_where_it_was_lost() -> None:
    server = Server([("ADDED", job(11)), KubeError(0, "Unreachable", "reset")])
    _, told = await follow(server)
    assert server.since == ["10", "11"]
    assert told.begun == 2


@pytest.mark.parametrize("status", [410, 403, 500])
async def test_a_refused_watch_begins_anew_and_asks_for_a_resync(status: int) -> None:
    server = Server([("ADDED", job(11)), KubeError(status, "Expired", "too old")])
    server.newest = 50
    _, told = await follow(server)
    assert server.since == ["50", "50"]
    assert told.begun == 3


async def test_a_server_that_stays_away_is_begun_with_anew() -> None:
    server = Server([KubeError(0, "Unreachable", "refused")], [KubeError(0, "Unreachable", "refused")])
    _, told = await follow(server)
    assert server.since == ["10", "10", "10"]
    assert told.begun == 3
