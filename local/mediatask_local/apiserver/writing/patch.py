"""The patch types besides server-side apply: JSON merge patch (RFC 7386), JSON patch (RFC 6902), strategic merge patch.

All are pure: they return a new object and do not modify their arguments.
"""

from __future__ import annotations

from typing import Any

import jsonpatch

from ..errors import ApiError, bad_request
from ..objects import Object, clone
from ..schema.structure import Structure


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Object, operations: Any) -> Any:
    """RFC 6902. A failing `test` or a missing path makes the request invalid (ApiError 422)."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        return jsonpatch.apply_patch(clone(target), operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        text = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", text) from error


def strategic_patch(target: Any, patch: Any, structure: Structure) -> Any:
    """Strategic merge patch: like a merge patch, but lists with a merge key merge item by item."""
    if isinstance(patch, dict):
        return _strategic_map(target, patch, structure)
    if isinstance(patch, list):
        return _strategic_list(target, patch, structure)
    return patch


def _strategic_map(target: Any, patch: Object, structure: Structure) -> Any:
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    merged = dict(target) if isinstance(target, dict) else {}
    orders: dict[str, list[Any]] = {}
    for name, value in patch.items():
        directive, _, field = name.partition("/")
        if directive == "$deleteFromPrimitiveList":
            merged[field] = [item for item in merged.get(field) or [] if item not in value]
        elif directive == "$setElementOrder":
            orders[field] = value
        elif directive == "$retainKeys":
            merged = {key: item for key, item in merged.items() if key in value}
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = strategic_patch(merged.get(name), value, structure.child(name))
    for field, order in orders.items():
        if isinstance(merged.get(field), list):
            merged[field] = _ordered(merged[field], order, structure.child(field).merge_key)
    return merged


def _strategic_list(target: Any, patch: list[Any], structure: Structure) -> Any:
    existing = list(target) if isinstance(target, list) else []
    key = structure.merge_key
    if structure.merges and not key:
        return existing + [item for item in patch if item not in existing]
    if not key or not all(isinstance(item, dict) for item in patch):
        return patch
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    for item in patch:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        index = next((i for i, old in enumerate(existing) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if index is not None:
                existing.pop(index)
        elif index is None:
            existing.append(strategic_patch({}, item, structure.item()))
        else:
            existing[index] = strategic_patch(existing[index], item, structure.item())
    return existing


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """Items in the given order; items that it does not name come last."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    places = {identity(item): place for place, item in enumerate(order)}
    return sorted(items, key=lambda item: places.get(identity(item), len(places)))
