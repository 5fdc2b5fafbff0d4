"""Structural schemas of custom resources: pruning, defaults, unknown fields and validation.

Schemas are the OpenAPI v3 dialect of CustomResourceDefinitions: no references, a type at every level. Validation
ratchets: a part that did not change is not validated again, so that a tightened schema never blocks a status update.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from ..errors import (
    FieldError,
    duplicate_value,
    forbidden_field,
    invalid_value,
    required,
    shown,
    too_long,
    too_many,
    type_invalid,
    unsupported_value,
)
from ..objects import Object, clone, encode
from .kinds import OBJECT_META, component

Schema = dict[str, Any]
# Stands for "no old value". None cannot, because null is a value.
MISSING: Any = object()


def with_object_fields(schema: Schema) -> Schema:
    """The root of a custom resource also has apiVersion, kind and metadata, like every object."""
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties = {**schema.get("properties", {}), **own, "metadata": component(OBJECT_META)}
    return {**schema, "properties": properties}


def child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def keeps_unknown(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def property_schema(schema: Schema, name: str) -> Schema | None:
    """The schema of one field; a permissive one where unknown fields are preserved; None for an unknown field."""
    known = schema.get("properties", {}).get(name)
    if known is not None:
        return known  # type: ignore[no-any-return]
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        return additional
    return {"x-kubernetes-preserve-unknown-fields": True} if additional or keeps_unknown(schema) else None


def item_schema(schema: Schema) -> Schema:
    """The schema of a list's items."""
    items = schema.get("items")
    if items is not None:
        return items  # type: ignore[no-any-return]
    return {"x-kubernetes-preserve-unknown-fields": True} if keeps_unknown(schema) else {}


def prune(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Remove unknown fields in place and yield their paths."""
    if isinstance(value, dict):
        for name in list(value):
            field = property_schema(schema, name)
            if field is None:
                del value[name]
                yield child(path, name)
            elif field:
                yield from prune(value[name], field, child(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from prune(item, item_schema(schema), f"{path}[{index}]")


def set_defaults(value: Any, schema: Schema) -> None:
    """Fill in defaults in place. A null in a field that is not nullable counts as absent."""
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            if name in value and value[name] is None and not field.get("nullable"):
                del value[name]
            if name not in value and "default" in field:
                value[name] = clone(field["default"])
        for name, item in value.items():
            field = property_schema(schema, name)
            if field:
                set_defaults(item, field)
    elif isinstance(value, list):
        for item in value:
            set_defaults(item, item_schema(schema))


def validate(value: Any, schema: Schema, path: str = "", old: Any = MISSING) -> Iterator[FieldError]:
    """Every violation in `value`. `old` is the stored state; parts equal to it are skipped."""
    if old is not MISSING and value == old:
        return
    if value is None:
        if not schema.get("nullable") and schema.get("type"):
            yield _wrong_type(path, value, schema)
        return
    if not _has_type(value, schema):
        yield _wrong_type(path, value, schema)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported_value(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _validate_string(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _validate_number(value, schema, path)
    elif isinstance(value, list):
        yield from _validate_list(value, schema, path, old)
    elif isinstance(value, dict):
        yield from _validate_object(value, schema, path, old)
    yield from _validate_logic(value, schema, path)


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
}


def _has_type(value: Any, schema: Schema) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    wanted = schema.get("type")
    if not wanted:
        return True
    if isinstance(value, bool):
        return bool(wanted == "boolean")
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted])


def _wrong_type(path: str, value: Any, schema: Schema) -> FieldError:
    wanted = "integer,string" if schema.get("x-kubernetes-int-or-string") else schema.get("type")
    found = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    name = found.get(type(value), "null")
    return type_invalid(path, name, f"{path} in body must be of type {wanted}: {shown(name)}")


def _validate_string(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    elif "minLength" in schema and len(value) < schema["minLength"]:
        yield invalid_value(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    elif "pattern" in schema and not pattern(schema["pattern"]).search(value):
        yield invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'")
    check = _FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        yield type_invalid(path, value, f"{path} in body must be of type {schema['format']}: {shown(value)}")


@lru_cache(maxsize=1024)
def pattern(source: str) -> re.Pattern[str]:
    """Compile with RE2 semantics: `$` matches only at the very end, not before a final newline; classes are ASCII."""
    return re.compile(re.sub(r"(?<!\\)\$(?=\||\)|$)", r"\\Z", source), re.ASCII)


def _is_date_time(value: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "uuid": lambda value: bool(re.fullmatch(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", value)),
    "byte": lambda value: bool(re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value)) and len(value) % 4 == 0,
    "uri": lambda value: bool(re.match(r"(?i)^([a-z][a-z0-9+.-]*:|/)", value)),
}


def _validate_number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    if "maximum" in schema:
        limit, exclusive = schema["maximum"], schema.get("exclusiveMaximum", False)
        if value > limit or (exclusive and value == limit):
            relation = "less than" if exclusive else "less than or equal to"
            yield invalid_value(path, value, f"{path} in body should be {relation} {limit}")
    if "minimum" in schema:
        limit, exclusive = schema["minimum"], schema.get("exclusiveMinimum", False)
        if value < limit or (exclusive and value == limit):
            relation = "greater than" if exclusive else "greater than or equal to"
            yield invalid_value(path, value, f"{path} in body should be {relation} {limit}")
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {schema['multipleOf']}")


def _validate_list(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield too_many(path, len(value), schema["maxItems"])
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield invalid_value(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    map_keys = schema.get("x-kubernetes-list-map-keys") or ()
    unique = schema.get("x-kubernetes-list-type") in ("set", "map")
    old_items = _by_identity(old, map_keys) if map_keys and isinstance(old, list) else {}
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        item_path = f"{path}[{index}]"
        identity = list_identity(item, map_keys)
        if unique and identity in seen:
            keys = {name: item.get(name) for name in map_keys} if map_keys else item
            yield duplicate_value(item_path, keys)
        seen.add(identity)
        yield from validate(item, item_schema(schema), item_path, old_items.get(identity, MISSING))


def list_identity(item: Any, map_keys: Any) -> bytes:
    """The identity of a list item: the values of the list's map keys if it has any, else the whole item."""
    if map_keys and isinstance(item, dict):
        return encode([item.get(name) for name in map_keys])
    return encode(item)


def _by_identity(items: list[Any], map_keys: Any) -> dict[bytes, Any]:
    return {list_identity(item, map_keys): item for item in items}


def _validate_object(value: Object, schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    for name in schema.get("required", ()):
        if name not in value:
            yield required(child(path, name))
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield too_many(path, len(value), schema["maxProperties"])
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        minimum = schema["minProperties"]
        yield invalid_value(path, len(value), f"{path} in body should have at least {minimum} properties")
    before = old if isinstance(old, dict) else {}
    for name, item in value.items():
        field = property_schema(schema, name)
        if field:
            yield from validate(item, field, child(path, name), before.get(name, MISSING))
        elif field is None and schema.get("additionalProperties") is False:
            yield forbidden_field(child(path, name), "field is not allowed")


def _validate_logic(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    def matches(part: Schema) -> bool:
        return next(validate(value, part, path), None) is None

    for part in schema.get("allOf", ()):
        yield from validate(value, part, path)
    if "anyOf" in schema and not any(matches(part) for part in schema["anyOf"]):
        yield invalid_value(path, value, f"{path} in body must validate at least one schema (anyOf)")
        yield from validate(value, schema["anyOf"][0], path)
    if "oneOf" in schema and sum(matches(part) for part in schema["oneOf"]) != 1:
        yield invalid_value(path, value, f"{path} in body must validate one and only one schema (oneOf)")
    if "not" in schema and matches(schema["not"]):
        yield invalid_value(path, value, f"{path} in body must not validate the schema (not)")
