"""Object metadata: what clients may set, and what only the server sets."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator

from ..errors import (
    ApiError,
    FieldError,
    bad_request,
    conflict,
    forbidden_field,
    invalid,
    invalid_value,
    modified,
    required,
    too_long,
)
from ..objects import Object, timestamp
from ..registry.resources import Resource

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_ANNOTATIONS_LIMIT = 256 * 1024
# The alphabet of generated names, without vowels, so that no words appear.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GENERATED_LIMIT = 63

# Kinds without metadata.generation, because no controller has to observe their spec.
_WITHOUT_GENERATION = frozenset(
    (
        *("namespaces", "nodes", "events", "configmaps", "secrets", "services", "serviceaccounts", "leases"),
        *("persistentvolumeclaims", "resourcequotas"),
        *("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    )
)
_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def check_namespace(resource: Resource, obj: Object, namespace: str) -> None:
    """Set a missing namespace, in place; raises ApiError 400 for another one than the request's."""
    metadata = obj["metadata"]
    if not resource.namespaced:
        if metadata.pop("namespace", ""):
            raise bad_request("namespace must not be set on a cluster-scoped object")
    elif metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def prepare_create(resource: Resource, obj: Object) -> None:
    """Set name, UID and creation time of a new object, in place; clients cannot set the server's own fields."""
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        base = metadata["generateName"][: _GENERATED_LIMIT - _SUFFIX_LENGTH]
        metadata["name"] = base + "".join(random.choices(_SUFFIX_ALPHABET, k=_SUFFIX_LENGTH))
    for field in (*_SERVER_FIELDS, "selfLink", "managedFields", "resourceVersion"):
        metadata.pop(field, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()
    if resource.plural not in _WITHOUT_GENERATION:
        metadata["generation"] = 1


def prepare_update(resource: Resource, new: Object, old: Object) -> None:
    """Check an update's preconditions (ApiError 409) and restore, in place, what clients cannot change."""
    metadata, stored = new["metadata"], old["metadata"]
    name = stored["name"]
    if metadata.get("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if metadata.get("uid", stored["uid"]) != stored["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {stored['uid']}"
        raise conflict(resource.plural, resource.group, name, why)
    if metadata.get("resourceVersion") not in (None, "", stored["resourceVersion"]):
        raise modified(resource.plural, resource.group, name)
    metadata["name"] = name
    metadata["resourceVersion"] = stored["resourceVersion"]
    for field in _SERVER_FIELDS:
        if field in stored:
            metadata[field] = stored[field]
        else:
            metadata.pop(field, None)
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not metadata.get(field):
            metadata.pop(field, None)


def validate_metadata(resource: Resource, obj: Object, old: Object | None) -> list[FieldError]:
    """Validation errors of an object's metadata."""
    metadata = obj["metadata"]
    errors = list(_name_errors(resource, metadata)) if old is None else []
    errors += label_errors("metadata.labels", metadata.get("labels", {}))
    for key in metadata.get("annotations", {}):
        errors += _qualified_name_errors("metadata.annotations", key.lower())
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.get("annotations", {}).items())
    if size > _ANNOTATIONS_LIMIT:
        errors.append(too_long("metadata.annotations", _ANNOTATIONS_LIMIT))
    for finalizer in metadata.get("finalizers", ()):
        errors += _qualified_name_errors("metadata.finalizers", finalizer)
    errors += _owner_errors(metadata.get("ownerReferences", ()))
    if old is not None and old["metadata"].get("deletionTimestamp"):
        added = set(metadata.get("finalizers", ())) - set(old["metadata"].get("finalizers", ()))
        if added:
            detail = (
                f"no new finalizers can be added if the object is being deleted, found new finalizers {sorted(added)}"
            )
            errors.append(forbidden_field("metadata.finalizers", detail))
    return errors


def _name_errors(resource: Resource, metadata: Object) -> Iterator[FieldError]:
    name = metadata.get("name")
    if not name:
        yield required("metadata.name", "name or generateName is required")
        return
    if resource.group.startswith("rbac."):
        if "/" in name or "%" in name or name in (".", ".."):
            yield invalid_value("metadata.name", name, "may not contain '/' or '%'")
        return
    if len(name) > 253:
        unit = "characters" if resource.custom else "bytes"
        yield invalid_value("metadata.name", name, f"must be no more than 253 {unit}")
    if not _SUBDOMAIN.fullmatch(name):
        yield invalid_value("metadata.name", name, _SUBDOMAIN_TEXT)
    elif resource.plural in ("namespaces", "services") and not resource.group:
        if "." in name:
            yield invalid_value("metadata.name", name, "must not contain dots")
        elif len(name) > 63:
            yield invalid_value("metadata.name", name, "must be no more than 63 bytes")


def label_errors(field: str, labels: dict[str, str]) -> Iterator[FieldError]:
    for key, value in labels.items():
        yield from _qualified_name_errors(field, key)
        if len(value) > 63:
            yield invalid_value(field, value, "must be no more than 63 bytes")
        if not _LABEL_VALUE.fullmatch(value):
            yield invalid_value(field, value, _LABEL_VALUE_TEXT)


def _qualified_name_errors(field: str, key: str) -> Iterator[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        yield invalid_value(field, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        yield invalid_value(field, key, "name part must be non-empty")
    if len(name) > 63:
        yield invalid_value(field, key, "name part must be no more than 63 bytes")
    if not _QUALIFIED_PART.fullmatch(name):
        yield invalid_value(field, key, _QUALIFIED_TEXT)


def _owner_errors(references: list[Object]) -> Iterator[FieldError]:
    field = "metadata.ownerReferences"
    for reference in references:
        if not reference.get("apiVersion"):
            yield invalid_value(f"{field}.apiVersion", "", "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not reference.get(name):
                yield invalid_value(f"{field}.{name}", "", "must not be empty")
    controllers = [reference.get("name") for reference in references if reference.get("controller")]
    if len(controllers) > 1:
        detail = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        yield invalid_value(field, controllers, detail)


def finalizer_warnings(resource: Resource, obj: Object) -> list[str]:
    """Warnings about finalizers of custom resources without a domain."""
    if not resource.custom:
        return []
    return [
        f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name to avoid accidental conflicts '
        "with other finalizer writers"
        for name in obj["metadata"].get("finalizers", ())
        if "/" not in name and name not in ("foregroundDeletion", "orphan")
    ]


def raise_if_any(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    """Raise ApiError 422 for the field errors, if any."""
    if errors:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), errors)
