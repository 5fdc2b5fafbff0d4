"""An in-memory copy of a collection, like client-go's informers: list, watch, and list again after gaps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

from mediatask_common.kube import Kube, KubeError, Object, Resource
from mediatask_common.logging import get_logger

log = get_logger(__name__)

Key = tuple[str, str]
"""Namespace and name."""


def key_of(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Informer:
    """All objects of one kind; every change calls `on_change(key)`.

    Responses to our own writes are added with `observe`, so that a decision right after a write takes it into account:
    otherwise the Job controller would create a second pod before it gets the watch event of the first one.
    """

    def __init__(self, kube: Kube, resource: Resource, on_change: Callable[[Key], None]) -> None:
        self._kube = kube
        self._resource = resource
        self._on_change = on_change
        self._items: dict[Key, Object] = {}
        self.synced = asyncio.Event()

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._items.values()))

    def get(self, key: Key) -> Object | None:
        return self._items.get(key)

    def observe(self, obj: Object) -> None:
        """Add an object, unless the same or a newer resource version of it is known."""
        key = key_of(obj)
        known = self._items.get(key)
        if known is not None and _version(known) >= _version(obj):
            return
        self._items[key] = obj
        self._on_change(key)

    def forget(self, obj: Object) -> None:
        """Remove a deleted object; a later one of the same name stays."""
        key = key_of(obj)
        known = self._items.get(key)
        if known is not None and known["metadata"]["uid"] == obj["metadata"]["uid"]:
            del self._items[key]
            self._on_change(key)

    async def run(self) -> None:
        """List and watch until cancelled."""
        version = ""
        delay = 0.1
        while True:
            try:
                if not version:
                    version = await self._relist()
                async for kind, obj in self._kube.watch(self._resource, None, version, timeoutSeconds="300"):
                    delay = 0.1
                    version = obj["metadata"]["resourceVersion"]
                    if kind == "DELETED":
                        self.forget(obj)
                    elif kind != "BOOKMARK":
                        self.observe(obj)
            except KubeError as error:
                if error.status == 410:
                    version = ""
                    continue
                log.warning("watch interrupted", resource=self._resource.plural, error=str(error))
                await asyncio.sleep(delay * random.uniform(0.5, 1))
                delay = min(delay * 2, 5)

    async def _relist(self) -> str:
        listed = await self._kube.list(self._resource)
        items = listed["items"]
        present = {(key_of(item), item["metadata"]["uid"]) for item in items}
        for known in self:
            if (key_of(known), known["metadata"]["uid"]) not in present:
                self.forget(known)
        for item in items:
            self.observe(item)
        self.synced.set()
        version: str = listed["metadata"]["resourceVersion"]
        return version


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
