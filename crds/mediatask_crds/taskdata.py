"""One schema for `spec.taskData`: the fields of all task types together, and the CEL rules that keep them apart."""

from __future__ import annotations

from typing import Any

from .structural import Schema, structural
from .tasktypes import TaskData, task_types


def merged_schema() -> Schema:
    """The typed fields of every task type. Defaults stay out: a default of one type must not reach another."""
    properties: dict[str, Schema] = {}
    users: dict[str, dict[str, list[str]]] = {}
    for name, kind in task_types().items():
        for field, schema in structural(kind)["properties"].items():
            schema.pop("default", None)
            properties[field] = _union(properties[field], schema) if field in properties else schema
            users.setdefault(field, {}).setdefault(schema.get("description", ""), []).append(name)
    for field, schema in properties.items():
        schema["description"] = " ".join(f"({', '.join(types)}) {text}".strip() for text, types in users[field].items())
    return {
        "type": "object",
        "description": "The request, in the fields of the task type named in brackets before each.",
        "properties": dict(sorted(properties.items())),
    }


def rules() -> list[dict[str, Any]]:
    """CEL rules on the spec: per type, what is required, what is not a field, what a value may be."""
    merged = merged_schema()["properties"]
    out: list[dict[str, Any]] = []
    for name, kind in task_types().items():
        out += _required(name, kind) + _foreign(name, kind, merged) + _narrower(name, kind, merged)
    return out


def _required(name: str, kind: type[TaskData]) -> list[dict[str, Any]]:
    groups = [(field,) for field in structural(kind).get("required", [])] + list(kind.one_of_required)
    return [
        {
            "rule": f"self.taskType != '{name}' || " + " || ".join(f"has(self.taskData.{field})" for field in group),
            "message": f"taskData.{' or taskData.'.join(group)} is required for {name}",
            "fieldPath": ".taskData",
            "reason": "FieldValueRequired",
        }
        for group in groups
    ]


def _foreign(name: str, kind: type[TaskData], merged: dict[str, Schema]) -> list[dict[str, Any]]:
    own = structural(kind)["properties"]
    if merged.keys() == own.keys():
        return []
    # Over the fields that are there, as `dyn` lets an object be read: each `has()` of one that is not costs the API
    # server a copy of the whole schema, and there are many.
    return [
        {
            "rule": f"self.taskType != '{name}' || dyn(self.taskData).all(field, field in {sorted(own)})",
            "message": f"taskData has a field that is not one of {name}; it takes: {', '.join(own)}",
            "fieldPath": ".taskData",
            "reason": "FieldValueForbidden",
        }
    ]


def _narrower(name: str, kind: type[TaskData], merged: dict[str, Schema]) -> list[dict[str, Any]]:
    """Where the merged schema allows more values than this type: the type's own enumeration."""
    return [
        {
            "rule": f"self.taskType != '{name}' || !has(self.taskData.{field}) || "
            f"self.taskData.{field} in {schema['enum']}",
            "message": f"taskData.{field} of {name} must be one of: {', '.join(schema['enum'])}",
            "fieldPath": f".taskData.{field}",
        }
        for field, schema in structural(kind)["properties"].items()
        if "enum" in schema and schema["enum"] != merged[field].get("enum")
    ]


def _union(a: Schema, b: Schema) -> Schema:
    """The schema that allows what either allows, for a field that two task types share.

    Raises:
        ValueError: the types give the field different JSON types; rename one.
    """
    if a.get("type") != b.get("type"):
        raise ValueError(f"task types disagree on the type of a shared field: {a} / {b}")
    out = {key: value for key, value in a.items() if key in b and (b[key] == value or key == "description")}
    if "enum" in a and "enum" in b:
        out["enum"] = sorted({*a["enum"], *b["enum"]})
    for key, pick in (
        ("minimum", min),
        ("minLength", min),
        ("maximum", max),
        ("maxLength", max),
        ("maxItems", max),
    ):
        if key in a and key in b:
            out[key] = pick(a[key], b[key])
    return out
