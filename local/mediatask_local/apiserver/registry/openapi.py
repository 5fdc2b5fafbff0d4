"""OpenAPI v3 documents, so that `kubectl explain` and client-side validation know the fields.

Custom resources come with their own schema, built-in kinds with that of the Kubernetes release the server follows.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ..errors import no_such_path
from ..objects import Object, encode
from ..schema.kinds import COMPONENTS, OBJECT_META, REFERENCE, component_name
from .resources import Registry, Resource

_DESCRIPTIONS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
    "metadata": "Standard object's metadata.",
}
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(registry: Registry) -> Object:
    """`/openapi/v3`. Each URL carries the document's hash, so that clients can cache it."""
    paths = {}
    for group in registry.groups():
        for version in registry.versions(group):
            digest = hashlib.sha256(encode(document(registry, group, version))).hexdigest()[:32].upper()
            path = _path(group, version)
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, group: str, version: str) -> Object:
    """The document of one group version."""
    resources = registry.in_version(group, version)
    if not resources:
        raise no_such_path()
    paths: Object = {}
    schemas: Object = {}
    for resource in resources:
        name = component_name(group, version, resource.kind)
        if name is None:
            name = ".".join([*reversed(group.split(".")), version, resource.kind])
            schemas[name] = _custom_schema(resource)
            _add_component(schemas, OBJECT_META)
        else:
            _add_component(schemas, name)
        paths.update(_operations(resource, name))
    info = {"title": "Kubernetes", "version": "embedded"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _add_component(schemas: Object, name: str) -> None:
    """Add a built-in component and all that it refers to."""
    pending = [name]
    while pending:
        name = pending.pop()
        if name not in schemas:
            schemas[name] = COMPONENTS[name]
            pending += re.findall(f'"{REFERENCE}([^"]+)"', encode(COMPONENTS[name]).decode())


def _custom_schema(resource: Resource) -> Object:
    schema = resource.schema or {}
    properties: dict[str, Any] = {
        **schema.get("properties", {}),
        "apiVersion": {"type": "string", "description": _DESCRIPTIONS["apiVersion"]},
        "kind": {"type": "string", "description": _DESCRIPTIONS["kind"]},
        "metadata": {
            "description": _DESCRIPTIONS["metadata"],
            "default": {},
            "allOf": [{"$ref": f"{REFERENCE}{OBJECT_META}"}],
        },
    }
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": [_kind(resource)]}


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operations(resource: Resource, schema: str) -> Object:
    answer = {"application/json": {"schema": {"$ref": f"{REFERENCE}{schema}"}}}

    def operation(action: str) -> Object:
        return {
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _kind(resource),
            "parameters": _PARAMETERS,
            "responses": {"200": {"description": "OK", "content": answer}},
        }

    middle = "namespaces/{namespace}/" if resource.namespaced else ""
    path = f"/{_path(resource.group, resource.version)}/{middle}{resource.plural}"
    if resource.is_review:
        return {path: {"post": operation("post")}}
    return {
        path: {"get": operation("list"), "post": operation("post"), "delete": operation("deletecollection")},
        f"{path}/{{name}}": {
            "get": operation("get"),
            "put": operation("put"),
            "patch": operation("patch"),
            "delete": operation("delete"),
        },
    }
