"""Create, update, patch and apply: the order in which an object is prepared, checked and stored.

Everything here is synchronous: between reading the stored state and committing the new one no other request runs,
so resourceVersion preconditions need no locks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..builtin import admission
from ..builtin.binding import bound
from ..cel import rules as cel
from ..errors import (
    ApiError,
    already_exists,
    bad_request,
    invalid,
    invalid_value,
    not_found,
    unsupported_media_type,
)
from ..http import decoding
from ..objects import Object, clone, encode
from ..reading.views import to_storage, to_view
from ..registry import crds
from ..registry.resources import Registry, Resource
from ..schema import schema
from ..schema.structure import Structure
from ..storage.store import Collection, Entry, Key, Store
from . import apply, metadata
from .lifecycle import Lifecycle
from .patch import json_patch, merge_patch, strategic_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCHES = ("application/apply-patch+yaml", "application/apply-patch+json")

# Built-in kinds that, like custom resources, cannot be replaced without a resourceVersion.
_CONDITIONAL_ONLY = ("leases", "customresourcedefinitions")

# Largest stored object: the default limit of etcd for a request.
_SIZE_LIMIT = 1_572_864


@dataclass
class WriteOptions:
    """Query parameters of a write. `warnings` collects the texts of the response's Warning headers."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


class Operations:
    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry
        self.lifecycle = Lifecycle(store, registry)
        for entry in list(store.collection(crds.STORAGE).entries.values()):
            self._serve(entry.object)
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self._ensure_namespace(name)
        self.lifecycle.collect_at_start()

    # --- reads

    def collection(self, resource: Resource) -> Collection:
        return self.store.collection(resource.storage_name)

    def get(self, resource: Resource, key: Key) -> Entry:
        entry = self.collection(resource).entries.get(key)
        if entry is None:
            raise not_found(resource.plural, resource.group, key.name)
        return entry

    # --- writes

    def create(self, resource: Resource, namespace: str, obj: Any, options: WriteOptions) -> Entry:
        options.warnings += decoding.decode(resource, obj, options.field_validation)
        metadata.check_namespace(resource, obj, namespace)
        if resource.namespaced:
            self._check_namespace(namespace)
        obj = to_storage(resource, obj)
        metadata.prepare_create(resource, obj)
        name = obj["metadata"].get("name", "")
        key = Key(namespace, name)
        collection = self.collection(resource)
        if key in collection.entries:
            raise already_exists(resource.plural, resource.group, name)
        if resource.has_status:
            obj.pop("status", None)
        _set_defaults(resource, obj)
        managed = apply.updated(None, obj, self._structure(resource), options.manager, resource.api_version, "")
        return self._store_new(resource, key, obj, managed, options)

    def update(self, resource: Resource, key: Key, subresource: str, obj: Any, options: WriteOptions) -> Entry:
        """PUT. Custom resources must name the resourceVersion that they replace; most built-in kinds need not."""
        old = self.get(resource, key)
        options.warnings += decoding.decode(resource, obj, options.field_validation)
        metadata.check_namespace(resource, obj, key.namespace)
        conditional = resource.custom or resource.plural in _CONDITIONAL_ONLY
        if conditional and not obj["metadata"].get("resourceVersion"):
            error = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.plural, resource.group, key.name, [error])
        return self._replace(resource, key, subresource, old, to_storage(resource, obj), options)

    def patch(
        self, resource: Resource, key: Key, subresource: str, content_type: str, patch: Any, options: WriteOptions
    ) -> Entry:
        old = self.get(resource, key)
        change = _patcher(resource, content_type)
        shown = to_view(resource, old.object)
        # What the patch did not touch is shared with the stored object, which must never be modified.
        new = clone(change(shown, patch))
        options.warnings += decoding.decode(resource, new, options.field_validation, patched=True)
        metadata.check_namespace(resource, new, key.namespace)
        return self._replace(resource, key, subresource, old, to_storage(resource, new), options)

    def apply(self, resource: Resource, key: Key, subresource: str, config: Any, options: WriteOptions) -> Entry:
        """Server-side apply; creates the object when it does not exist."""
        if not isinstance(config, dict) or not config.get("kind") or not config.get("apiVersion"):
            raise bad_request("invalid object type: /, Kind=")
        decoding.check_applied(resource, config)
        given = config.setdefault("metadata", {})
        if "managedFields" in given:
            raise bad_request("metadata.managedFields must be nil")
        metadata.check_namespace(resource, config, key.namespace)
        if given.setdefault("name", key.name) != key.name:
            raise bad_request(
                f"the name of the object ({given['name']}) does not match the name on the URL ({key.name})"
            )
        config = to_storage(resource, config)
        live = self.collection(resource).entries.get(key)
        if live is None and subresource:
            raise not_found(resource.plural, resource.group, key.name)
        if not subresource and resource.has_status:
            config.pop("status", None)
        merged = apply.applied(
            live.object if live else None,
            config,
            self._structure(resource),
            options.manager,
            resource.api_version,
            subresource,
            force=options.force,
        )
        managed = merged["metadata"].pop("managedFields")
        if live is None:
            return self._create_applied(resource, key, config, managed, options)
        merged = clone({**live.object, **merged})
        if given.get("resourceVersion"):
            merged["metadata"]["resourceVersion"] = given["resourceVersion"]
        return self._replace(resource, key, subresource, live, merged, options, managed)

    def _create_applied(
        self, resource: Resource, key: Key, config: Object, managed: list[Object], options: WriteOptions
    ) -> Entry:
        if resource.namespaced:
            self._check_namespace(key.namespace)
        if config["metadata"].get("uid"):
            raise ApiError(409, "Conflict", f'{resource.plural} "{key.name}" not found: uid precondition failed')
        obj = clone(config)
        metadata.prepare_create(resource, obj)
        _set_defaults(resource, obj)
        return self._store_new(resource, key, obj, managed, options)

    def bind(self, resource: Resource, key: Key, binding: Any, options: WriteOptions) -> Entry:
        """Assign a pod to a node."""
        pod = self.get(resource, key)
        new = bound(pod.object, binding)
        if options.dry_run:
            return Entry(new, encode(new))
        metadata.prepare_update(resource, new, pod.object)
        # Not validated as an update, which may not change spec.nodeName.
        entry = self.store.put(self.collection(resource), key, new)
        self._after_write(resource, entry)
        return entry

    # --- the common path

    def _store_new(
        self, resource: Resource, key: Key, obj: Object, managed: list[Object], options: WriteOptions
    ) -> Entry:
        admission.prepare_new(resource.storage_name, obj)
        self._check(resource, obj, None, options)
        if managed:
            obj["metadata"]["managedFields"] = managed
        if options.dry_run:
            return Entry(obj, encode(obj))
        entry = self.store.put(self.collection(resource), key, obj)
        self._after_write(resource, entry)
        if resource.storage_name == "namespaces":
            self._ensure_service_account(key.name)
        return entry

    def _replace(
        self,
        resource: Resource,
        key: Key,
        subresource: str,
        old_entry: Entry,
        new: Object,
        options: WriteOptions,
        managed: list[Object] | None = None,
    ) -> Entry:
        """Replace the stored object by `new`, restricted to what the subresource may change."""
        old = old_entry.object
        metadata.prepare_update(resource, new, old)
        new = _restricted(resource, subresource, old, new)
        _set_defaults(resource, new)
        self._check(resource, new, old, options)
        if managed is None:
            managed = apply.updated(
                old, new, self._structure(resource), options.manager, resource.api_version, subresource
            )
        new["metadata"].pop("managedFields", None)
        if managed:
            new["metadata"]["managedFields"] = managed
        if new == old:
            return old_entry
        if "generation" in new["metadata"] and _desired_state(resource, new) != _desired_state(resource, old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if options.dry_run:
            return Entry(new, encode(new))
        collection = self.collection(resource)
        if self.lifecycle.is_purgeable(new):
            return self.lifecycle.purge(collection, key, new)
        entry = self.store.put(collection, key, new)
        self._after_write(resource, entry)
        return entry

    def _check(self, resource: Resource, obj: Object, old: Object | None, options: WriteOptions) -> None:
        """Validate an object. Raises ApiError, 422 with all field errors."""
        errors = metadata.validate_metadata(resource, obj, old)
        if resource.custom:
            errors += schema.validate(obj, resource.schema or {}, "", schema.MISSING if old is None else old)
            errors += cel.check_unless_blocked(obj, resource.rules, old, errors)
            if old is None or old["metadata"].get("finalizers") != obj["metadata"].get("finalizers"):
                options.warnings += metadata.finalizer_warnings(resource, obj)
        elif resource.storage_name == crds.STORAGE:
            errors += crds.crd_errors(obj)
        else:
            errors += admission.builtin_errors(resource.storage_name, obj, old)
            if resource.storage_name == "pods" and old is None:
                self._check_service_account(obj)
        metadata.raise_if_any(resource, obj, errors)
        if len(encode(obj)) > _SIZE_LIMIT:
            raise ApiError(413, "RequestEntityTooLarge", "etcdserver: request is too large")

    def _structure(self, resource: Resource) -> Structure:
        stored = self.registry.of_storage(resource.storage_name) or resource
        return Structure(stored.schema or {})

    def _after_write(self, resource: Resource, entry: Entry) -> None:
        self.lifecycle.after_write(entry.object)
        if resource.storage_name == crds.STORAGE:
            self._serve(entry.object)

    def _serve(self, crd: Object) -> None:
        self.registry.drop(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for resource in crds.resources_of(crd):
            self.registry.add(resource)

    # --- what must exist

    def _check_namespace(self, namespace: str) -> None:
        entry = self.store.collection("namespaces").entries.get(Key("", namespace))
        if entry is None:
            raise not_found("namespaces", "", namespace)
        if entry.object["metadata"].get("deletionTimestamp"):
            message = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise ApiError(403, "Forbidden", message, {"name": namespace, "kind": "namespaces"})

    def _check_service_account(self, pod: Object) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        if Key(namespace, name) not in self.store.collection("serviceaccounts").entries:
            message = (
                f'pods "{pod["metadata"].get("name", "")}" is forbidden: error looking up service account '
                f'{namespace}/{name}: serviceaccount "{name}" not found'
            )
            details = {"name": pod["metadata"].get("name", ""), "kind": "pods"}
            raise ApiError(403, "Forbidden", message, details)

    def _ensure_namespace(self, name: str) -> None:
        resource = self.registry.get("", "v1", "namespaces")
        if Key("", name) not in self.collection(resource).entries:
            self.create(resource, "", {"metadata": {"name": name}}, WriteOptions(manager="kube-apiserver"))

    def _ensure_service_account(self, namespace: str) -> None:
        resource = self.registry.get("", "v1", "serviceaccounts")
        options = WriteOptions(manager="kube-controller-manager")
        self.create(resource, namespace, {"metadata": {"name": "default"}}, options)


def _set_defaults(resource: Resource, obj: Object) -> None:
    """Set the defaults of every write, in place."""
    if resource.custom:
        schema.set_defaults(obj, resource.schema or {})
    elif resource.storage_name == crds.STORAGE:
        crds.set_crd_defaults(obj)
    else:
        admission.set_builtin_defaults(resource.storage_name, obj)


def _restricted(resource: Resource, subresource: str, old: Object, new: Object) -> Object:
    """`/status` changes only the status, the main resource all but the status."""
    if not resource.has_status:
        return new
    if subresource == "status":
        part = {name: value for name, value in old.items() if name != "status"}
        if new.get("status") is not None:
            part["status"] = new["status"]
        return {**part, "metadata": dict(old["metadata"])}
    part = {name: value for name, value in new.items() if name != "status"}
    return {**part, "status": old["status"]} if "status" in old else part


def _desired_state(resource: Resource, obj: Object) -> Object:
    """The part whose changes increment metadata.generation: all but metadata and status."""
    hidden = ("metadata", "status") if resource.has_status else ("metadata",)
    return {name: value for name, value in obj.items() if name not in hidden}


def _patcher(resource: Resource, content_type: str) -> Callable[[Object, Any], Any]:
    if content_type == JSON_PATCH:
        return json_patch
    if content_type == MERGE_PATCH:
        return merge_patch
    if content_type == STRATEGIC_PATCH and not resource.custom:
        return lambda target, patch: strategic_patch(target, patch, Structure(resource.schema or {}))
    strategic = [] if resource.custom else [STRATEGIC_PATCH]
    raise unsupported_media_type([JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCHES[0]])
