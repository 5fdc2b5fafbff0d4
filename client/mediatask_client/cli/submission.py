"""From the words of a command line to a request, led by the task type's JSON Schema. No I/O."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError

Schema = Mapping[str, Any]


def task_data(schema: Schema, text: str | None, settings: Iterable[str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The request's `task_data`.

    Files are paths in it, to be uploaded; everything else is JSON.

    Args:
        schema: JSON Schema of the type.
        text: the main text: what to draw, film, say or ask.
        settings: `field=value`, also `object.key=value`, and `field=@file` where a URL is expected; a list's field may
            come several times.
        base: fields from a file, which the command line's override.

    Raises:
        UsageError: unknown field, or a value that is not of its type.
    """
    data: dict[str, Any] = dict(base)
    for name in data:
        _property(schema, name)
    if text is not None:
        data[main_field(schema)] = text
    fresh: set[str] = set()
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: write it as field=value")
        name, dot, key = name.partition(".")
        kind = _property(schema, name)
        if dot:
            before = data.get(name) or {}
            if not isinstance(before, dict):
                raise UsageError(f"--set {setting}: {name} is no object")
            data[name] = {**before, key: _free(value)}
        elif _type(kind) == "array" and name in fresh:
            data[name] = [*data[name], *_items(kind, name, value)]
        else:
            data[name] = _coerce(kind, name, value)
        fresh.add(name)
    return {
        name: _with_paths(value) if _takes_files(_property(schema, name)) else value for name, value in data.items()
    }


def _takes_files(kind: Schema) -> bool:
    """Whether the field takes the URL of an input, or several."""
    options = (kind, *kind.get("anyOf", []))
    return any(place.get("x-input-url") for option in options for place in (option, option.get("items", {})))


def _with_paths(value: Any) -> Any:
    """`@file` as a path, which the client uploads."""
    if isinstance(value, list):
        return [_with_paths(item) for item in value]
    return Path(value[1:]) if isinstance(value, str) and value.startswith("@") else value


def main_field(schema: Schema) -> str:
    """The field that the positional text fills: the first required one, else the first of all."""
    names = [*schema.get("required", []), *schema["properties"]]
    return str(names[0])


def closest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _property(schema: Schema, name: str) -> Schema:
    properties: Mapping[str, Schema] = schema["properties"]
    if name not in properties:
        raise UsageError(f"unknown field {name}{closest(name, properties)}; there are: {', '.join(properties)}")
    return properties[name]


def _type(kind: Schema) -> str | None:
    """The JSON type, looking through `anyOf: [..., null]`."""
    for option in (kind, *kind.get("anyOf", [])):
        if option.get("type") not in (None, "null"):
            return str(option["type"])
    return None


def _coerce(kind: Schema, name: str, value: str) -> Any:
    """The JSON value of a word.

    Raises:
        UsageError: it is not of the field's type.
    """
    match _type(kind):
        case "string":
            return value
        case "integer" | "number" as wanted:
            return _number(name, value, whole=wanted == "integer")
        case "boolean":
            if value.lower() not in ("true", "false"):
                raise UsageError(f"{name} is true or false, not {value!r}")
            return value.lower() == "true"
        case "array":
            return _items(kind, name, value)
        case "object":
            parsed = _free(value)
            if not isinstance(parsed, dict):
                raise UsageError(f"{name} is an object: write JSON, or {name}.key=value")
            return parsed
        case _:
            return _free(value)


def _number(name: str, value: str, *, whole: bool) -> int | float:
    try:
        number = int(value) if whole else float(value)
        if math.isfinite(number):
            return number
        raise ValueError
    except (ValueError, OverflowError):
        raise UsageError(f"{name} is a {'whole ' if whole else ''}number, not {value!r}") from None


def _items(kind: Schema, name: str, value: str) -> list[Any]:
    """A JSON array, or one item as it stands (a URL may hold commas)."""
    if value.startswith("["):
        parsed = _free(value)
        if not isinstance(parsed, list):
            raise UsageError(f"{name} is a list, and {value!r} is not JSON")
        return parsed
    array = next(option for option in (kind, *kind.get("anyOf", [])) if option.get("type") == "array")
    return [_coerce(array.get("items", {}), name, value)]


def _free(value: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        return value
