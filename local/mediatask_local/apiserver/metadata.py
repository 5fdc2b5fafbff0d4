"""Object metadata: what clients may say, and what the server alone decides."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from typing import Any

from .errors import (
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
from .objects import Object, timestamp
from .resources import Resource

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_ONLY = re.compile(_LABEL)
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
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
# The alphabet of generated names: no vowels, so no words.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GENERATED_LIMIT = 63

# Kinds whose objects have no spec that a controller would have to catch up with.
_WITHOUT_GENERATION = frozenset(
    (
        *("namespaces", "nodes", "events", "configmaps", "secrets", "services", "serviceaccounts", "leases"),
        *("persistentvolumeclaims", "resourcequotas"),
        *("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    )
)
_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def check_identity(resource: Resource, obj: Any, namespace: str) -> Object:
    """Refuse what is no object of this kind and namespace (400); returns its metadata."""
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    for field, expected in (("kind", resource.kind), ("apiVersion", resource.api_version)):
        found = obj.get(field, expected)
        if found != expected:
            message = f"{field} in the data ({found}) does not match the expected {field} ({expected})"
            raise bad_request(message)
        obj[field] = expected
    metadata: Object = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    _check_types(metadata)
    if resource.namespaced:
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
    elif metadata.get("namespace"):
        raise bad_request("namespace must not be set on a cluster-scoped object")
    else:
        metadata.pop("namespace", None)
    return metadata


def _check_types(metadata: Object) -> None:
    """Wrong JSON types are decoding errors of the real server, so 400 and not 422."""
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        if values is None:
            metadata.pop(field, None)
            continue
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type string")
    for field in ("finalizers", "ownerReferences", "managedFields"):
        if metadata.get(field) is None:
            metadata.pop(field, None)
        elif not isinstance(metadata[field], list):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type list")
    for field in ("name", "generateName", "namespace", "resourceVersion", "uid"):
        if not isinstance(metadata.get(field, ""), str):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type string")


def prepare_create(resource: Resource, obj: Object) -> None:
    """Give a new object its name, identity and time; the server's own fields are never taken from clients."""
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        raise ApiError(500, "InternalError", "resourceVersion should not be set on objects to be created")
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
    """Check the preconditions that an update states (409) and carry over what clients cannot change."""
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
    """Everything wrong with an object's metadata."""
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
    label_only = resource.plural in ("namespaces", "services") and not resource.group
    limit, form = (63, _LABEL_ONLY) if label_only else (253, _SUBDOMAIN)
    if resource.group.startswith("rbac."):
        if "/" in name or "%" in name or name in (".", ".."):
            yield invalid_value("metadata.name", name, "may not contain '/' or '%'")
        return
    if len(name) > limit:
        yield invalid_value("metadata.name", name, f"must be no more than {limit} bytes")
    if not form.fullmatch(name):
        yield invalid_value("metadata.name", name, _LABEL_TEXT if label_only else _SUBDOMAIN_TEXT)


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


def _owner_errors(references: Any) -> Iterator[FieldError]:
    controllers = []
    for index, reference in enumerate(references):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not isinstance(reference, dict) or not reference.get(field):
                yield required(f"metadata.ownerReferences[{index}].{field}", f"{field} must not be empty")
        if isinstance(reference, dict) and reference.get("controller"):
            controllers.append(reference.get("name"))
    if len(controllers) > 1:
        detail = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        yield invalid_value("metadata.ownerReferences", controllers, detail)


def raise_if_any(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    """Turn field errors into the one 422 that clients get."""
    if errors:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), errors)
