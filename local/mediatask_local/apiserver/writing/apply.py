"""Server-side apply and the ownership of fields (`metadata.managedFields`).

Apply: a manager declares the fields it wants; fields that it no longer declares are removed unless another manager
owns them; a field that another manager owns with a different value is a conflict unless forced.
Update (create, PUT, the other patches): the manager becomes the owner of whatever it changed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson

from ..errors import ApiError
from ..objects import Object, timestamp
from ..schema.structure import Structure, identify
from .fieldset import FieldSet, Path, from_fields_v1, leaves, owned_part, remove_paths, to_fields_v1

ManagedFields = list[Object]


def updated(
    old: Object | None, new: Object, structure: Structure, manager: str, api_version: str, subresource: str
) -> ManagedFields:
    """managedFields after `manager` changed `old` (None on create) to `new` without server-side apply.

    A client may rewrite the entries themselves (kubectl does when it migrates to server-side apply); without any
    entries, the stored ones stay.
    """
    status = subresource == "status"
    before = dict(leaves(owned_part(old, status=status), structure, containers=True)) if old else {}
    after = dict(leaves(owned_part(new, status=status), structure, containers=True))
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    removed = before.keys() - after.keys()
    entries: ManagedFields = new["metadata"].get("managedFields") or (
        old["metadata"].get("managedFields", []) if old else []
    )
    entries = [entry for entry in entries if entry.get("fieldsV1")]
    if not changed and not removed:
        return entries
    own = frozenset(changed)
    result: ManagedFields = []
    for entry in entries:
        owned = frozenset(from_fields_v1(entry["fieldsV1"]))
        if _is(entry, manager, "Update", subresource):
            own |= owned - removed
            continue
        left = owned - changed - removed
        if left == owned:
            result.append(entry)
        elif left:
            result.append({**entry, "fieldsV1": to_fields_v1(left)})
    if own:
        result.append(_entry(manager, "Update", api_version, subresource, own))
    return _in_order(result)


def applied(
    live: Object | None,
    config: Object,
    structure: Structure,
    manager: str,
    api_version: str,
    subresource: str,
    *,
    force: bool,
) -> Object:
    """The object after `manager` applied `config`, which has no managedFields. Raises ApiError 409 for conflicts."""
    status = subresource == "status"
    wanted_part = owned_part(config, status=status)
    wanted = dict(leaves(wanted_part, structure))
    own: FieldSet = frozenset(wanted)
    base: Object = live or {"metadata": {}}
    present = dict(leaves(owned_part(base, status=status), structure))
    entries: ManagedFields = base["metadata"].get("managedFields", [])
    conflicts: dict[str, list[Path]] = defaultdict(list)
    kept: ManagedFields = []
    others: set[Path] = set()
    previous: FieldSet = frozenset()
    for entry in entries:
        owned = frozenset(from_fields_v1(entry["fieldsV1"]))
        if _is(entry, manager, "Apply", subresource):
            previous = owned
            continue
        clashing = {path for path in owned & own if path in present and present[path] != wanted[path]}
        if clashing and not force:
            conflicts[_described(entry)].extend(sorted(clashing, key=_members_first))
        left = owned - clashing
        others |= left
        if left:
            kept.append(entry if left == owned else {**entry, "fieldsV1": to_fields_v1(left)})
    if conflicts:
        raise _conflict(conflicts)
    merged: Object = merge(remove_paths(base, previous - own - others, structure), wanted_part, structure)
    if "metadata" not in merged:
        merged["metadata"] = {key: value for key, value in base["metadata"].items() if key not in _OWNED_METADATA}
    mine = _entry(manager, "Apply", api_version, subresource, own)
    last = next((e for e in entries if _is(e, manager, "Apply", subresource)), None)
    if last is not None and last["fieldsV1"] == mine["fieldsV1"]:
        mine = last
    merged["metadata"] = {**merged["metadata"], "managedFields": _in_order([*kept, mine])}
    return merged


_OWNED_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")


def merge(live: Any, config: Any, structure: Structure) -> Any:
    """`config` merged into `live`: maps and list maps merge, sets are united, all else is replaced."""
    if isinstance(config, dict) and not structure.is_atomic_map:
        merged = dict(live) if isinstance(live, dict) else {}
        for name, value in config.items():
            merged[name] = merge(merged.get(name), value, structure.child(name))
        return merged
    if isinstance(config, list) and isinstance(live, list):
        if structure.is_set:
            return live + [item for item in config if item not in live]
        keys = structure.map_keys
        if keys and all(isinstance(item, dict) for item in (*config, *live)):
            return _merge_items(live, config, keys, structure.item())
    return config


def _merge_items(live: list[Any], config: list[Any], keys: tuple[str, ...], item: Structure) -> list[Any]:
    places = {identify(value, keys): index for index, value in enumerate(live)}
    result = list(live)
    for value in config:
        place = places.get(identify(value, keys))
        if place is None:
            result.append(value)
        else:
            result[place] = merge(result[place], value, item)
    return result


def _in_order(entries: ManagedFields) -> ManagedFields:
    return sorted(entries, key=lambda entry: (entry["operation"], entry.get("time", ""), entry["manager"]))


def _members_first(path: Path) -> tuple[tuple[bool, str], ...]:
    """Sort key of conflict messages: at each level the fields themselves, then nested ones."""
    return tuple((depth < len(path) - 1, element) for depth, element in enumerate(path))


def _is(entry: Object, manager: str, operation: str, subresource: str) -> bool:
    mine = (manager, operation, subresource)
    return (entry["manager"], entry["operation"], entry.get("subresource", "")) == mine


def _entry(manager: str, operation: str, api_version: str, subresource: str, paths: FieldSet) -> Object:
    entry: Object = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": timestamp(),
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(paths),
    }
    return {**entry, "subresource": subresource} if subresource else entry


def _described(entry: Object) -> str:
    """A manager as named in conflict messages."""
    text = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] == "Update":
        text += f" using {entry['apiVersion']}"
    return text


def dotted(path: Path) -> str:
    """`.spec.containers[name="c"].image`, the notation of conflict messages."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            keys = orjson.loads(element[2:])
            text += "[" + ",".join(f'{k}="{v}"' if isinstance(v, str) else f"{k}={v}" for k, v in keys.items()) + "]"
        else:
            text += f"[={element[2:]}]"
    return text


def _conflict(conflicts: dict[str, list[Path]]) -> ApiError:
    causes, parts, count = [], [], 0
    for manager, paths in conflicts.items():
        count += len(paths)
        for path in paths:
            causes.append(
                {
                    "reason": "FieldManagerConflict",
                    "message": f"conflict with {manager}",
                    "field": dotted(path),
                }
            )
        if len(paths) == 1:
            parts.append(f"conflict with {manager}: {dotted(paths[0])}")
        else:
            parts.append(f"conflicts with {manager}:\n" + "\n".join(f"- {dotted(path)}" for path in paths))
    word = "conflict" if count == 1 else "conflicts"
    return ApiError(409, "Conflict", f"Apply failed with {count} {word}: " + "\n".join(parts), {"causes": causes})
