"""OpenAPI v3 documents, so that `kubectl explain` and client-side checks know the fields.

Custom resources come with their whole schema. Built-in kinds are described as open objects: this server does not have
their schemas, and says so by keeping unknown fields instead of inventing a part of them.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .errors import no_such_path
from .objects import Object, encode
from .resources import Registry, Resource

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DESCRIPTIONS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
    "metadata": "Standard object's metadata.",
}
_OBJECT_META: Object = {
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Name must be unique within a namespace."},
        "generateName": {"type": "string", "description": "Prefix of a name that the server completes."},
        "namespace": {"type": "string", "description": "Namespace defines the space within which each name is unique."},
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Keys and values by which objects are organized and selected.",
        },
        "annotations": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Unstructured keys and values kept with the object by tools.",
        },
        "uid": {"type": "string", "description": "Unique in time and space; set by the server."},
        "resourceVersion": {"type": "string", "description": "Opaque version of this object's state."},
        "generation": {
            "type": "integer",
            "format": "int64",
            "description": "A sequence number of the desired state.",
        },
        "creationTimestamp": {"type": "string", "format": "date-time", "description": "When it was created."},
        "deletionTimestamp": {"type": "string", "format": "date-time", "description": "When it will be deleted."},
        "deletionGracePeriodSeconds": {
            "type": "integer",
            "format": "int64",
            "description": "Seconds allowed for it to terminate gracefully.",
        },
        "finalizers": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Must be empty before the object is deleted from the registry.",
        },
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Objects depended on by this object; it goes when all of them are gone.",
        },
        "managedFields": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Which manager manages which fields.",
        },
    },
}
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(registry: Registry) -> Object:
    """`/openapi/v3`. Each address carries the document's hash, so that clients may keep it."""
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
    schemas: Object = {_META: _OBJECT_META}
    for resource in resources:
        name = ".".join([*reversed((group or "core").split(".")), version, resource.kind])
        schemas[name] = _schema(resource)
        paths.update(_operations(resource, name))
    info = {"title": "Kubernetes", "version": "embedded"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _schema(resource: Resource) -> Object:
    base = resource.schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties: dict[str, Any] = {
        **base.get("properties", {}),
        "apiVersion": {"type": "string", "description": _DESCRIPTIONS["apiVersion"]},
        "kind": {"type": "string", "description": _DESCRIPTIONS["kind"]},
        "metadata": {
            "description": _DESCRIPTIONS["metadata"],
            "default": {},
            "allOf": [{"$ref": f"#/components/schemas/{_META}"}],
        },
    }
    return {**base, "properties": properties, "x-kubernetes-group-version-kind": [_kind(resource)]}


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operations(resource: Resource, schema: str) -> Object:
    answer = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

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
