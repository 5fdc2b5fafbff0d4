"""The classes: which ones run a type, and which one does by default."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from mediatask_common.kube import CLASSES, Kube, Object
from mediatask_crds.taskclass import MediaTaskClassSpec

from ...ttlcache import TtlCache


@dataclass(frozen=True)
class Class:
    """A class by name."""

    name: str
    spec: MediaTaskClassSpec


class Classes:
    """The classes of the cluster, perhaps ten seconds old."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: TtlCache[list[Class]] = TtlCache(10)

    async def default(self, task_type: str) -> Class | None:
        """The class that a task of the type gets, as the operator chooses it. Raises KubeError."""
        known = await self.all()
        return next((each for each in known if each.spec.default and task_type in each.spec.task_types), None)

    async def all(self) -> list[Class]:
        """All that can be read, by name. Raises KubeError."""
        return await self._known.get("all", self._read)

    async def _read(self) -> list[Class]:
        found = [_parsed(item) async for item in self._kube.list_all(CLASSES)]
        return sorted((each for each in found if each is not None), key=lambda each: each.name)


def _parsed(item: Object) -> Class | None:
    try:
        return Class(item["metadata"]["name"], MediaTaskClassSpec.from_stored(item["spec"]))
    except ValidationError:
        return None
