"""Schemas of the built-in kinds: names, types and merge behaviour of their fields.

`kubernetes.json` holds the OpenAPI v3 component schemas of a real API server (Kubernetes, Apache License 2.0) without
their descriptions, one per line; `update.py` generates it. References are resolved once, on first use.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# Request bodies of another kind than the one in the path.
TOKEN_REQUEST = "io.k8s.api.authentication.v1.TokenRequest"
BINDING = "io.k8s.api.core.v1.Binding"
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"

COMPONENTS: dict[str, Schema] = orjson.loads(files(__name__).joinpath("kubernetes.json").read_bytes())
"""Component schemas by name, with references, as OpenAPI documents show them."""

_resolved: dict[str, Schema] = {}


# Code decides what a built-in kind requires, allows and defaults, in the real server as in this one.
_NOT_COPIED = ("default", "enum", "required", "properties")


def component(name: str) -> Schema:
    """A component with all references resolved. Shared and possibly cyclic: never modify it."""
    found = _resolved.get(name)
    if found is None:
        # Registered before it is filled, so that a schema may refer to itself.
        found = _resolved[name] = {}
        found.update(_resolve(COMPONENTS[name]))
    return found


def _resolve(node: Any) -> Schema:
    if "$ref" in node:
        return component(node["$ref"].removeprefix(REFERENCE))
    if "allOf" in node:
        extra = {key: value for key, value in node.items() if key.startswith("x-kubernetes")}
        target = _resolve(node["allOf"][0])
        return {**target, **extra} if extra else target
    resolved: Schema = {key: value for key, value in node.items() if key not in _NOT_COPIED}
    if "properties" in node:
        resolved["properties"] = {name: _resolve(part) for name, part in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            resolved[key] = _resolve(node[key])
    # Free-form values (raw extensions, managed fields, JSON) have no fields of their own.
    if node.get("type", "object") == "object" and not ({"properties", "additionalProperties"} & node.keys()):
        resolved["x-kubernetes-preserve-unknown-fields"] = True
    return resolved


def _by_kind() -> dict[tuple[str, str, str], str]:
    return {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, node in COMPONENTS.items()
        for kind in node.get("x-kubernetes-group-version-kind", ())
    }


_KINDS = _by_kind()


def component_name(group: str, version: str, kind: str) -> str | None:
    """The component that describes a kind; None for kinds that are not built in."""
    return _KINDS.get((group, version, kind))


def builtin(group: str, version: str, kind: str) -> Schema | None:
    name = component_name(group, version, kind)
    return component(name) if name else None
