"""From pydantic's JSON Schema to the structural OpenAPI v3 schema that a CustomResourceDefinition needs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = {
    "type",
    "description",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "default",
    "required",
}


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model: no references, no nulls, no titles, free-form objects marked as such."""
    source = model.model_json_schema(by_alias=True)
    return _convert(source, source.get("$defs", {}))


def _convert(node: Schema, defs: dict[str, Schema]) -> Schema:
    node = _resolved(node, defs)
    out = {key: value for key, value in node.items() if key in _KEPT or key.startswith("x-kubernetes-")}
    if "const" in node:
        out["enum"] = [node["const"]]
    if isinstance(out.get("default"), dict):
        out["default"] = {key: value for key, value in out["default"].items() if value is not None}
    if out.get("default") in (None, [], {}):
        out.pop("default", None)  # an absent field says the same, and stays absent in `kubectl get -o yaml`
    if "description" in out:
        out["description"] = " ".join(out["description"].split())
    kind = node.get("type")
    if kind == "object":
        _convert_object(node, out, defs)
    elif kind == "array":
        out["items"] = _convert(node.get("items", {}), defs)
    elif kind is None and "enum" not in node:
        return {**out, "x-kubernetes-preserve-unknown-fields": True}  # any JSON value
    if kind == "integer":
        out["format"] = "int64"
    return out


def _convert_object(node: Schema, out: Schema, defs: dict[str, Schema]) -> None:
    if "properties" in node:
        out["properties"] = {name: _convert(child, defs) for name, child in node["properties"].items()}
        return
    values = node.get("additionalProperties")
    if isinstance(values, dict) and values:
        out["additionalProperties"] = _convert(values, defs)
        return
    out.pop("maxProperties", None)  # counts declared properties only; REST checks the real number
    out["x-kubernetes-preserve-unknown-fields"] = True


def _resolved(node: Schema, defs: dict[str, Schema]) -> Schema:
    """The node with its reference followed and `| None` taken off; what is said beside a reference wins."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in node:
        return {**_resolved(defs[node["$ref"].rsplit("/", 1)[1]], defs), **beside}
    if "anyOf" in node:
        options = [option for option in node["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a structural schema cannot say either-or: {node}")
        return {**_resolved(options[0], defs), **beside}
    return node
