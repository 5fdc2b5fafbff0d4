"""Current objects, recent changes and watch subscriptions.

Stored objects are shared and must never be modified in place: every write stores a new one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from ..objects import Object, encode
from .sqlite import Storage

# Changes kept per resource for watches that resume. A client further behind gets 410 and has to list again.
HISTORY = 8192


class Key(NamedTuple):
    """`namespace` is empty for cluster-scoped objects."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object and its JSON, encoded once for storage, answers and watches."""

    object: Object
    raw: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """`type` is ADDED, MODIFIED or DELETED; `previous` is the entry before a MODIFIED."""

    revision: int
    type: str
    key: Key
    entry: Entry
    previous: Entry | None


class Subscription:
    """The changes that one watch has not sent yet. `closed` means that no more will come."""

    def __init__(self) -> None:
        self.pending: deque[Change] = deque()
        self.wakeup = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self.wakeup.set()


class Collection:
    """All objects of one resource (group and plural), whatever API version they are read in."""

    def __init__(self, resource: str, started_at: int) -> None:
        self.resource = resource
        self.entries: dict[Key, Entry] = {}
        self.history: deque[Change] = deque(maxlen=HISTORY)
        self.known_since = started_at
        self.subscriptions: set[Subscription] = set()
        self._sorted: list[Key] | None = None

    def ordered_keys(self) -> list[Key]:
        """All keys in list order (namespace, then name)."""
        if self._sorted is None:
            self._sorted = sorted(self.entries)
        return self._sorted

    def apply(self, change: Change) -> None:
        if change.type == "DELETED":
            del self.entries[change.key]
            self._sorted = None
        else:
            if change.key not in self.entries:
                self._sorted = None
            self.entries[change.key] = change.entry
        if len(self.history) == HISTORY:
            self.known_since = self.history[0].revision
        self.history.append(change)
        for subscription in self.subscriptions:
            subscription.pending.append(change)
            subscription.wakeup.set()


class Store:
    """Every collection, the global revision, and the index of UIDs and owners that garbage collection needs."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.revision = storage.revision()
        self.collections: dict[str, Collection] = {}
        self.by_uid: dict[str, tuple[Collection, Key]] = {}
        self.dependents: dict[str, set[tuple[str, Key]]] = defaultdict(set)
        for resource, namespace, name, body in storage.rows():
            entry = Entry(orjson.loads(body), body)
            key = Key(namespace, name)
            collection = self.collection(resource)
            collection.entries[key] = entry
            self._index(collection, key, entry.object)

    def collection(self, resource: str) -> Collection:
        found = self.collections.get(resource)
        if found is None:
            found = self.collections[resource] = Collection(resource, self.revision)
        return found

    def put(self, collection: Collection, key: Key, obj: Object) -> Entry:
        """Store a new object or a new state of one; sets its resourceVersion. Durable when it returns."""
        previous = collection.entries.get(key)
        entry = self._commit(collection, key, obj, removed=False)
        if previous is not None:
            self._forget_owners(collection, key, previous.object)
        self._index(collection, key, entry.object)
        kind = "ADDED" if previous is None else "MODIFIED"
        collection.apply(Change(self.revision, kind, key, entry, previous))
        return entry

    def remove(self, collection: Collection, key: Key, last_state: Object) -> Entry:
        """Remove an object; watches get its last state under a new resourceVersion. Durable when it returns."""
        previous = collection.entries[key]
        entry = self._commit(collection, key, last_state, removed=True)
        self._forget_owners(collection, key, previous.object)
        self.by_uid.pop(previous.object["metadata"]["uid"], None)
        collection.apply(Change(self.revision, "DELETED", key, entry, None))
        return entry

    def _commit(self, collection: Collection, key: Key, obj: Object, *, removed: bool) -> Entry:
        revision = self.revision + 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        entry = Entry(obj, encode(obj))
        self._storage.write(revision, collection.resource, key.namespace, key.name, None if removed else entry.raw)
        self.revision = revision
        return entry

    def _index(self, collection: Collection, key: Key, obj: Object) -> None:
        self.by_uid[obj["metadata"]["uid"]] = (collection, key)
        for reference in obj["metadata"].get("ownerReferences", ()):
            self.dependents[reference["uid"]].add((collection.resource, key))

    def _forget_owners(self, collection: Collection, key: Key, obj: Object) -> None:
        for reference in obj["metadata"].get("ownerReferences", ()):
            owned = self.dependents[reference["uid"]]
            owned.discard((collection.resource, key))
            if not owned:
                del self.dependents[reference["uid"]]
