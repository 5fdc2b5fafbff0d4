"""Deletion: grace periods, finalizers, garbage collection by owner reference, namespaces and CRDs.

Deletion is either immediate (`Lifecycle.purge`), or sets `deletionTimestamp` and completes when the last finalizer is
removed or, for a pod on a node, when the kubelet deletes it with a grace period of zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import ApiError, conflict, invalid, unsupported_value
from ..objects import Object, timestamp
from ..registry import crds
from ..registry.resources import Registry
from ..storage.store import Collection, Entry, Key, Store

_FOREGROUND = "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")
_PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public")
_DEFAULT_GRACE_SECONDS = 30


class Lifecycle:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    # --- deletion

    def delete(self, collection: Collection, key: Key, options: Object, *, dry_run: bool = False) -> tuple[Entry, bool]:
        """Delete an object, or mark it for deletion. Returns its last state and whether it is gone. Raises ApiError."""
        entry = collection.entries[key]
        _check_preconditions(collection, entry.object, options)
        policy = _policy(options)
        if dry_run:
            return entry, not entry.object["metadata"].get("finalizers")
        grace = _grace_seconds(collection, entry.object, options)
        if collection.resource == "namespaces":
            if key.name in _PERMANENT_NAMESPACES:
                text = f'namespaces "{key.name}" is forbidden: this namespace may not be deleted'
                raise ApiError(403, "Forbidden", text, {"name": key.name, "kind": "namespaces"})
            return self._delete_namespace(collection, key, entry), False
        metadata = entry.object["metadata"]
        dependents = self._dependents(metadata["uid"])
        if policy == "Orphan":
            self._orphan(metadata["uid"])
        finalizers = list(metadata.get("finalizers", ()))
        if policy == "Foreground" and any(_blocks(e.object, metadata["uid"]) for _, _, e in dependents):
            finalizers = [*finalizers, *([] if _FOREGROUND in finalizers else [_FOREGROUND])]
        if not finalizers and grace == 0:
            last_state = _ended_now(entry.object) if collection.resource == "pods" else entry.object
            return self.purge(collection, key, last_state), True
        entry = self._mark(collection, key, entry, finalizers, grace)
        if collection.resource == crds.STORAGE:
            self._delete_instances(entry.object)
            return collection.entries.get(key, entry), key not in collection.entries
        if _FOREGROUND in finalizers:
            for owned, owned_key, _ in dependents:
                if owned_key in owned.entries:
                    self.delete(owned, owned_key, {"propagationPolicy": "Foreground"})
        return collection.entries.get(key, entry), key not in collection.entries

    def _mark(self, collection: Collection, key: Key, entry: Entry, finalizers: list[str], grace: int) -> Entry:
        """Set deletionTimestamp, or shorten the grace period if it is set already."""
        metadata = entry.object["metadata"]
        marked = {**metadata, **({"finalizers": finalizers} if finalizers else {})}
        shorter = grace < metadata.get("deletionGracePeriodSeconds", 0)
        if not metadata.get("deletionTimestamp") or shorter:
            marked["deletionTimestamp"] = timestamp(grace)
            marked["deletionGracePeriodSeconds"] = grace
            if "generation" in marked:
                marked["generation"] += 1
        if marked == metadata:
            return entry
        return self._store.put(collection, key, {**entry.object, "metadata": marked})

    def purge(self, collection: Collection, key: Key, last_state: Object) -> Entry:
        """Remove an object from storage, and continue deletions that waited for that."""
        metadata = last_state["metadata"]
        entry = self._store.remove(collection, key, last_state)
        for reference in metadata.get("ownerReferences", ()):
            self._finish_foreground(reference["uid"])
        if metadata["uid"] in self._store.dependents:
            _soon(lambda: self._collect_dependents(metadata["uid"]))
        if collection.resource == crds.STORAGE:
            self._stop_serving(last_state)
        else:
            self._finish_crd(collection)
        if key.namespace:
            self._finish_namespace(key.namespace)
        return entry

    # --- garbage collection

    def collect_at_start(self) -> None:
        """At startup, collect dependents whose owners no longer exist."""
        for uid in [uid for uid in self._store.dependents if uid not in self._store.by_uid]:
            self._collect_dependents(uid)

    def after_write(self, obj: Object) -> None:
        """Collect an object whose owner references name owners that do not exist."""
        for reference in obj["metadata"].get("ownerReferences", ()):
            if not self._owner_exists(obj, reference):
                _soon(lambda uid=reference["uid"]: self._collect_dependents(uid))  # type: ignore[misc]

    def _owner_exists(self, obj: Object, reference: Object) -> bool:
        found = self._store.by_uid.get(reference["uid"])
        if found is None:
            return False
        collection, key = found
        kind = collection.entries[key].object["kind"]
        same_namespace = key.namespace in ("", obj["metadata"].get("namespace", ""))
        return same_namespace and (kind, key.name) == (reference["kind"], reference["name"])

    def _dependents(self, uid: str) -> list[tuple[Collection, Key, Entry]]:
        found = []
        for storage, key in sorted(self._store.dependents.get(uid, ())):
            collection = self._store.collections[storage]
            found.append((collection, key, collection.entries[key]))
        return found

    def _collect_dependents(self, uid: str) -> None:
        """Delete each dependent of an absent owner, unless another owner of it still exists."""
        for collection, key, entry in self._dependents(uid):
            if key not in collection.entries:
                continue
            references = entry.object["metadata"]["ownerReferences"]
            living = [r for r in references if self._owner_exists(entry.object, r)]
            if living:
                self._replace_owners(collection, key, entry, living)
            elif not entry.object["metadata"].get("deletionTimestamp"):
                self.delete(collection, key, {})

    def _orphan(self, uid: str) -> None:
        for collection, key, entry in self._dependents(uid):
            references = entry.object["metadata"]["ownerReferences"]
            self._replace_owners(collection, key, entry, [r for r in references if r["uid"] != uid])

    def _replace_owners(self, collection: Collection, key: Key, entry: Entry, references: list[Object]) -> None:
        metadata = {name: value for name, value in entry.object["metadata"].items() if name != "ownerReferences"}
        if references:
            metadata["ownerReferences"] = references
        self._store.put(collection, key, {**entry.object, "metadata": metadata})

    def _finish_foreground(self, uid: str) -> None:
        """Complete the foreground deletion of an owner that no dependent blocks any more."""
        found = self._store.by_uid.get(uid)
        if found is None or any(_blocks(entry.object, uid) for _, _, entry in self._dependents(uid)):
            return
        collection, key = found
        if _FOREGROUND in collection.entries[key].object["metadata"].get("finalizers", ()):
            self._drop_finalizer(collection, key, _FOREGROUND)

    def _drop_finalizer(self, collection: Collection, key: Key, finalizer: str) -> None:
        obj = collection.entries[key].object
        left = [name for name in obj["metadata"].get("finalizers", ()) if name != finalizer]
        metadata = {name: value for name, value in obj["metadata"].items() if name != "finalizers"}
        if left:
            metadata["finalizers"] = left
        obj = {**obj, "metadata": metadata}
        if self.is_purgeable(obj):
            self.purge(collection, key, obj)
        else:
            self._store.put(collection, key, obj)

    @staticmethod
    def is_purgeable(obj: Object) -> bool:
        """Whether an object is marked for deletion and nothing delays it any more."""
        metadata = obj["metadata"]
        marked = metadata.get("deletionTimestamp") and not metadata.get("finalizers")
        return bool(marked) and not metadata.get("deletionGracePeriodSeconds")

    # --- namespaces

    def _delete_namespace(self, collection: Collection, key: Key, entry: Entry) -> Entry:
        if not entry.object["metadata"].get("deletionTimestamp"):
            metadata = {**entry.object["metadata"], "deletionTimestamp": timestamp()}
            terminating = {**entry.object, "metadata": metadata, "status": {"phase": "Terminating"}}
            entry = self._store.put(collection, key, terminating)
            _soon(lambda: self._empty_namespace(key.name))
        return entry

    def _empty_namespace(self, namespace: str) -> None:
        for collection in list(self._store.collections.values()):
            for key in [key for key in collection.entries if key.namespace == namespace]:
                if key in collection.entries:
                    self.delete(collection, key, {})
        self._finish_namespace(namespace)

    def _finish_namespace(self, namespace: str) -> None:
        namespaces = self._store.collection("namespaces")
        entry = namespaces.entries.get(Key("", namespace))
        if entry is None or not entry.object["metadata"].get("deletionTimestamp"):
            return
        if not any(key.namespace == namespace for c in self._store.collections.values() for key in c.entries):
            self.purge(namespaces, Key("", namespace), entry.object)

    # --- CRDs

    def _delete_instances(self, crd: Object) -> None:
        instances = self._instances(crd)
        for key in list(instances.entries):
            if key in instances.entries:
                self.delete(instances, key, {})
        self._finish_crd(instances)

    def _finish_crd(self, instances: Collection) -> None:
        """Complete the deletion of a CRD that has no instances left."""
        collection = self._store.collection(crds.STORAGE)
        key = Key("", instances.resource)
        entry = collection.entries.get(key)
        if entry and entry.object["metadata"].get("deletionTimestamp") and not instances.entries:
            self._drop_finalizer(collection, key, crds.CLEANUP_FINALIZER)

    def _stop_serving(self, crd: Object) -> None:
        self._registry.drop(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for subscription in list(self._instances(crd).subscriptions):
            subscription.close()

    def _instances(self, crd: Object) -> Collection:
        return self._store.collection(crd["metadata"]["name"])


def _ended_now(pod: Object) -> Object:
    """The last state of a pod that is deleted at once."""
    metadata = {"deletionTimestamp": timestamp(), **pod["metadata"], "deletionGracePeriodSeconds": 0}
    return {**pod, "metadata": metadata}


def _soon(action: Callable[[], None]) -> None:
    """Run after the current request, as the controllers of a real cluster act later."""
    try:
        asyncio.get_running_loop().call_soon(action)
    except RuntimeError:
        action()


def _blocks(dependent: Object, uid: str) -> bool:
    references = dependent["metadata"].get("ownerReferences", ())
    return any(r["uid"] == uid and r.get("blockOwnerDeletion") for r in references)


def _policy(options: Object) -> str:
    if options.get("orphanDependents") is True:
        return "Orphan"
    policy = options.get("propagationPolicy") or "Background"
    if policy not in _POLICIES:
        error = unsupported_value("propagationPolicy", policy, (*_POLICIES, "nil"))
        raise invalid("DeleteOptions", "meta.k8s.io", "", [error])
    return str(policy)


def _check_preconditions(collection: Collection, obj: Object, options: Object) -> None:
    preconditions = options.get("preconditions") or {}
    metadata = obj["metadata"]
    fates = {"uid": ("UID", "deleted and then recreated"), "resourceVersion": ("ResourceVersion", "modified")}
    for field, (label, fate) in fates.items():
        wanted, found = preconditions.get(field), metadata[field]
        if wanted is not None and wanted != found:
            plural, _, group = collection.resource.partition(".")
            text = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record ({found}). "
                f"The object might have been {fate}"
            )
            raise conflict(plural, group, metadata["name"], text)


def _grace_seconds(collection: Collection, obj: Object, options: Object) -> int:
    """The grace period of a deletion; 0 for everything but a pod that runs on a node."""
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if collection.resource != "pods" or not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    wanted = options.get("gracePeriodSeconds")
    if wanted is None:
        wanted = obj["metadata"].get("deletionGracePeriodSeconds")
    if wanted is None:
        wanted = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    return max(int(wanted), 0)
