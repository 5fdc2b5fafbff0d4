"""LIST: selection, order and pages."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Mapping

import orjson

from ..errors import bad_request
from ..http.queries import whole_number
from ..objects import Object
from ..registry.resources import Resource
from ..storage.store import Collection, Entry, Key
from .selectors import field_selector, label_selector

Selection = Callable[[Key, Object], bool]


def selection(
    resource: Resource, namespace: str | None, query: Mapping[str, str], name: str | None = None
) -> Selection:
    """A predicate for the objects that a LIST, a WATCH or a DELETE of a collection selects. Raises ApiError 400."""
    by_label = label_selector(query.get("labelSelector", ""))
    by_field = field_selector(query.get("fieldSelector", ""), resource.storage_name, resource.selectable_fields)

    def selects(key: Key, obj: Object) -> bool:
        return (
            (namespace is None or key.namespace == namespace)
            and (name is None or key.name == name)
            and (by_label is None or by_label(obj))
            and (by_field is None or by_field(obj))
        )

    return selects


def page(
    collection: Collection, selects: Selection, query: Mapping[str, str], revision: int
) -> tuple[list[Entry], Object]:
    """One page and its list metadata. Later pages show the current state under the first page's resource version."""
    keys, start = collection.ordered_keys(), 0
    limit = whole_number(query, "limit") or 0
    token = query.get("continue")
    if token:
        revision, after = _decode(token)
        start = bisect_right(keys, after)
    entries: list[Entry] = []
    metadata: Object = {"resourceVersion": str(revision)}
    last = Key("", "")
    for position in range(start, len(keys)):
        key = keys[position]
        entry = collection.entries[key]
        if not selects(key, entry.object):
            continue
        if limit and len(entries) == limit:
            metadata["continue"] = _encode(revision, last)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = sum(
                    selects(rest, collection.entries[rest].object) for rest in keys[position:]
                )
            break
        entries.append(entry)
        last = key
    return entries, metadata


def _encode(revision: int, last: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([revision, *last])).decode()


def _decode(token: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = orjson.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError) as error:
        raise bad_request("invalid continue token: continue key is not valid") from error
    return int(revision), Key(str(namespace), str(name))
