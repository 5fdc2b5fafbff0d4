"""Decoding of the JSON or YAML that clients send: types, unknown fields, nulls.

What fails here is malformed (400), as opposed to invalid (422). Unknown fields are pruned silently, pruned with a
warning, or refused, as the client chooses (`fieldValidation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from ..errors import ApiError, bad_request, invalid, invalid_value
from ..objects import Object, encode
from ..registry.resources import Resource
from ..schema.kinds import component
from ..schema.schema import Schema, child, item_schema, property_schema, prune

_GO_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it, through JSON: what looks like a date stays a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(content: bytes, content_type: str) -> Any:
    """The value in a request's body. Raises ApiError 400."""
    try:
        # _Loader is a SafeLoader: it constructs plain values and nothing else.
        is_yaml = "yaml" in content_type
        value = yaml.load(content, _Loader) if is_yaml else orjson.loads(content)
        return _normalized(value)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise bad_request(f"error decoding request body: {error}") from error


# orjson encodes at most 254 levels, and responses wrap objects in a few of them.
_MAX_DEPTH = 200


def _normalized(value: Any, depth: int = 0) -> Any:
    """Values as Go decodes JSON: 3.0 is 3, integers beyond 64 bits become floats, keys are strings."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"exceeded max depth of {_MAX_DEPTH}")
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**64 else float(value)
    if isinstance(value, dict):
        return {_key(name): _normalized(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_normalized(item, depth + 1) for item in value]
    if isinstance(value, (bytes, set)):
        raise ValueError("binary values and sets cannot be represented in JSON")
    return value


def _key(name: Any) -> str:
    return name if isinstance(name, str) else orjson.dumps(name).decode()


def check_kind(resource: Resource, obj: Any) -> None:
    """Check apiVersion and kind against the path. Objects of built-in kinds may omit them. Raises ApiError."""
    if not isinstance(obj, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    if resource.custom and not obj.get("kind"):
        text = f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' is missing"
        raise bad_request(text)
    version = obj.setdefault("apiVersion", resource.api_version)
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    kind = obj.setdefault("kind", resource.kind)
    if kind == resource.kind:
        return
    if resource.custom:
        name = (obj.get("metadata") or {}).get("name", "")
        raise invalid(kind, resource.group, name, [invalid_value("kind", kind, f"must be {resource.kind}")])
    raise _undecodable(resource, f'no kind "{kind}" is registered for version "{resource.api_version}"', kind)


def decode(resource: Resource, obj: Object, strictness: str, *, patched: bool = False) -> list[str]:
    """Drop nulls, check types, prune unknown fields, in place. Returns warnings. `patched`: `obj` results from a patch.

    Raises ApiError 400 for wrong types and, where `strictness` is "Strict", for unknown fields (a patch: 422).
    """
    check_kind(resource, obj)
    obj["metadata"] = obj.get("metadata") or {}
    schema = resource.schema or {}
    # Custom resources are validated later, against their own schema; metadata has the same schema everywhere.
    typed: dict[str, Any] = {"metadata": obj["metadata"]} if resource.custom else obj
    _drop_nulls(typed)
    problem = next(_type_problems(typed, schema), None)
    if problem:
        raise _undecodable(resource, problem)
    unknown = [f'unknown field "{path}"' for path in prune(obj, schema)]
    if unknown and strictness == "Strict":
        text = f"strict decoding error: {', '.join(unknown)}"
        if patched:
            raise invalid("", "", "", [invalid_value("patch", encode(obj).decode(), text)])
        raise _undecodable(resource, text)
    return unknown if strictness == "Warn" else []


def decode_request(value: Any, name: str) -> Object:
    """A body that is not the resource itself, such as DeleteOptions; `name` is its component. Raises ApiError 400."""
    kind = name.rpartition(".")[2]
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
    _drop_nulls(value)
    problem = next(_type_problems(value, component(name)), None)
    if problem:
        raise bad_request(f"{kind} cannot be handled: {problem}")
    return value


def check_applied(resource: Resource, config: Object) -> None:
    """Refuse unknown fields in an apply configuration: they could never be owned. Raises ApiError."""
    check_kind(resource, config)
    unknown = next(prune(config, resource.schema or {}), None)
    if unknown:
        metadata = config.get("metadata") or {}
        where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        kind = f"{resource.api_version}, Kind={resource.kind}"
        text = f"failed to create typed patch object ({where}; {kind}): .{unknown}: field not declared in schema"
        raise ApiError(500, "", text)


def _drop_nulls(value: Any) -> None:
    """Remove nulls, in place: Go decodes them as zero values, which it omits when encoding."""
    if isinstance(value, dict):
        for name in [name for name, item in value.items() if item is None]:
            del value[name]
        for item in value.values():
            _drop_nulls(item)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item)


def _type_problems(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    wanted = schema.get("type")
    if wanted and not _fits(value, wanted):
        go_type = schema.get("format") if wanted in ("integer", "number") else None
        yield f"json: cannot unmarshal {_GO_NAMES[type(value)]} into Go struct field {path} of type {go_type or wanted}"
    elif isinstance(value, dict):
        for name, item in value.items():
            below = property_schema(schema, name)
            if below:
                yield from _type_problems(item, below, child(path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _type_problems(item, item_schema(schema), path)


_FITS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def _fits(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, _FITS[wanted])


def _undecodable(resource: Resource, why: str, kind: str = "") -> ApiError:
    return bad_request(
        f'{kind or resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
    )
