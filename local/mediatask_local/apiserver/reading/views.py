"""Stored objects as shown in another API version or group.

Versions of a custom resource differ in `apiVersion` alone (conversion strategy None). Events are stored once, as
`v1`, and shown in `events.k8s.io/v1` under that group's field names.
"""

from __future__ import annotations

from ..objects import Object, encode
from ..registry.resources import Resource
from ..storage.store import Entry

# core/v1 field: events.k8s.io/v1 field
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_STORED_EVENT_FIELDS = {shown: stored for stored, shown in _EVENT_FIELDS.items()}


def to_view(resource: Resource, obj: Object) -> Object:
    """A stored object as `resource` shows it."""
    if obj["apiVersion"] == resource.api_version:
        return obj
    return {**_renamed(resource, obj, _EVENT_FIELDS), "apiVersion": resource.api_version}


def to_view_bytes(resource: Resource, entry: Entry) -> bytes:
    """The JSON of `to_view`; the stored bytes when they need no conversion."""
    if entry.object["apiVersion"] == resource.api_version:
        return entry.raw
    return encode(to_view(resource, entry.object))


def to_storage(resource: Resource, obj: Object) -> Object:
    """An object as sent to `resource`, converted to its stored form."""
    if resource.storage != "events":
        return obj
    return {**_renamed(resource, obj, _STORED_EVENT_FIELDS), "apiVersion": "v1"}


def _renamed(resource: Resource, obj: Object, names: dict[str, str]) -> Object:
    if resource.plural != "events":
        return obj
    return {names.get(name, name): value for name, value in obj.items()}
