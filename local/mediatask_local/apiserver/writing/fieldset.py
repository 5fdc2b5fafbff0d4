"""Sets of field paths, as stored in `managedFields`: who owns which field.

A path is a tuple of elements in the notation of FieldsV1: `f:name` for a field, `k:{"type":"Ready"}` for an item of
a list map, `v:"x"` for a member of a list set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ..objects import Object, encode
from ..schema.structure import Structure, identify

Path = tuple[str, ...]
FieldSet = frozenset[Path]


def item_element(item: Any, keys: tuple[str, ...]) -> str:
    """The path element of an item of a list map."""
    return "k:" + orjson.dumps(dict(zip(keys, identify(item, keys), strict=True)), option=orjson.OPT_SORT_KEYS).decode()


def member_element(item: Any) -> str:
    """The path element of a member of a list set."""
    return "v:" + encode(item).decode()


class _Container:
    """The value of a path that stands for the existence of a map, list or item, whatever it contains."""


CONTAINER = _Container()


def leaves(
    value: Any, structure: Structure, path: Path = (), *, containers: bool = False
) -> Iterator[tuple[Path, Any]]:
    """Every ownable path below `value` with its value: scalars, atomic values, list items, empty containers.

    With `containers`, also the maps and lists that contain them, as for plain updates.
    """
    if isinstance(value, dict) and not structure.is_atomic_map:
        if path and path != ("f:metadata",) and (containers or not value):
            yield path, CONTAINER
        for name, item in value.items():
            yield from leaves(item, structure.child(name), (*path, f"f:{name}"), containers=containers)
    elif isinstance(value, list) and (structure.is_set or _is_map(value, structure)):
        if containers or not value:
            yield path, CONTAINER
        for item in value:
            if structure.is_set:
                yield (*path, member_element(item)), CONTAINER
                continue
            below = (*path, item_element(item, structure.map_keys))
            yield below, CONTAINER
            for name, part in item.items():
                yield from leaves(part, structure.item().child(name), (*below, f"f:{name}"), containers=containers)
    elif path:
        yield path, value


def _is_map(value: list[Any], structure: Structure) -> bool:
    return bool(structure.map_keys) and all(isinstance(item, dict) for item in value)


def owned_part(obj: Object, *, status: bool) -> Object:
    """The part of an object that managers own: no identity and no system metadata; with `status` the status alone."""
    if status:
        return {"status": obj["status"]} if "status" in obj else {}
    part = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = obj.get("metadata") or {}
    kept = {
        name: metadata[name]
        for name in ("labels", "annotations", "finalizers", "ownerReferences")
        if metadata.get(name)
    }
    return {**part, "metadata": kept} if kept else part


def to_fields_v1(paths: Iterable[Path]) -> Object:
    """The nested form that is stored in `fieldsV1`; "." marks an owned path with owned paths below it."""
    root: Object = {}
    # In sorted order a path comes right before the paths below it.
    for path in sorted(paths):
        node, parent = root, None
        for element in path:
            parent, node = node, node.setdefault(element, {})
        if parent is not None:
            node[_SELF] = True
    return _without_lone_marks(root)


_SELF = "."


def _without_lone_marks(node: Object) -> Object:
    """Remove "." where it is the only element: it is needed only beside others."""
    below = {element: _without_lone_marks(part) for element, part in node.items() if element != _SELF}
    return {_SELF: {}, **below} if _SELF in node and below else below


def from_fields_v1(fields: Object, path: Path = ()) -> Iterator[Path]:
    """The paths of a stored `fieldsV1`."""
    if not fields and path:
        yield path
    for element, below in fields.items():
        if element == ".":
            yield path
        else:
            yield from from_fields_v1(below, (*path, element))


def remove_paths(value: Any, paths: Iterable[Path], structure: Structure) -> Any:
    """A copy of `value` without the given paths; containers that become empty are removed, too."""
    first: dict[str, list[Path]] = {}
    for path in paths:
        first.setdefault(path[0], []).append(path[1:])
    if isinstance(value, dict):
        return _remove_from_map(value, first, structure)
    if isinstance(value, list):
        return _remove_from_list(value, first, structure)
    return value


def _remove_from_map(value: Object, first: dict[str, list[Path]], structure: Structure) -> Object:
    result = {}
    for name, item in value.items():
        rests = first.get(f"f:{name}")
        if rests is None:
            result[name] = item
        elif () not in rests:
            remaining = remove_paths(item, rests, structure.child(name))
            if remaining or not isinstance(remaining, (dict, list)):
                result[name] = remaining
    return result


def _remove_from_list(value: list[Any], first: dict[str, list[Path]], structure: Structure) -> list[Any]:
    result = []
    for item in value:
        keys = structure.map_keys
        element = item_element(item, keys) if keys and isinstance(item, dict) else member_element(item)
        rests = first.get(element)
        if rests is None:
            result.append(item)
        elif () not in rests:
            result.append(remove_paths(item, rests, structure.item()))
    return result
