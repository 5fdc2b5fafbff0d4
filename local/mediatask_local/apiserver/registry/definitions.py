"""CustomResourceDefinitions: from the object to the resources it makes the server serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..cel.rules import CompileError, compile_rules
from ..errors import FieldError, invalid_value, required, unsupported_value
from ..objects import Object, timestamp
from ..schema.schema import child, with_object_fields
from .resources import Resource

STORAGE = "customresourcedefinitions.apiextensions.k8s.io"
# Keeps a definition until its last custom resource is gone.
CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_TYPES = ("object", "array", "string", "integer", "number", "boolean")


def set_definition_defaults(definition: Object) -> None:
    """Fill in names, conversion and, at once, the conditions of a definition that is served."""
    spec = definition.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return
    names = spec["names"]
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})
    finalizers = definition["metadata"].setdefault("finalizers", [])
    if CLEANUP_FINALIZER not in finalizers and not definition["metadata"].get("deletionTimestamp"):
        finalizers.append(CLEANUP_FINALIZER)
    if "status" not in definition:
        established = (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
        definition["status"] = {
            "acceptedNames": names,
            "storedVersions": [v.get("name") for v in spec.get("versions", ()) if v.get("storage")],
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": timestamp(),
                }
                for kind, reason, message in established
            ],
        }


def definition_errors(definition: Object) -> list[FieldError]:
    """What makes a definition unusable, CEL rules that do not compile included."""
    return list(_errors(definition))


def _errors(definition: Object) -> Iterator[FieldError]:
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        yield required("spec")
        return
    names = spec.get("names") or {}
    for field in ("plural", "kind"):
        if not names.get(field):
            yield required(f"spec.names.{field}")
    if not spec.get("group"):
        yield required("spec.group")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield unsupported_value("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    name = f"{names.get('plural')}.{spec.get('group')}"
    if definition["metadata"].get("name") != name:
        yield invalid_value(
            "metadata.name", definition["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group'
        )
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value("spec.versions", [], "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        # The one schema of all versions is an earlier form of the API, under whose name it is still spoken of.
        where = f"spec.versions[{index}].schema" if len(versions) > 1 else "spec.validation"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not isinstance(schema, dict):
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
            continue
        yield from _column_errors(version, f"spec.versions[{index}]" if len(versions) > 1 else "spec")
        where += ".openAPIV3Schema"
        if schema.get("type") != "object":
            yield invalid_value(f"{where}.type", schema.get("type"), "must be object at the root")
        yield from _schema_errors(schema, where)
        try:
            compile_rules(schema)
        except CompileError as error:
            yield FieldError(where + error.path, "FieldValueInvalid", f"Invalid value: {error}")


def _column_errors(version: Object, where: str) -> Iterator[FieldError]:
    """All that the real server checks: it prints name and age alone when it cannot parse a path."""
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{where}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            yield required(f"{at}.name")
        if column.get("type") not in _COLUMN_TYPES:
            yield invalid_value(f"{at}.type", column.get("type"), f"must be one of {','.join(_COLUMN_TYPES)}")
        path = column.get("jsonPath")
        if not path:
            yield required(f"{at}.jsonPath")
        elif not path.startswith("."):
            yield invalid_value(f"{at}.jsonPath", path, "must be a simple json path starting with .")


def _schema_errors(schema: Any, path: str) -> Iterator[FieldError]:
    """A structural schema has a type at every level and patterns that compile."""
    kept = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    if "type" not in schema and not kept:
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif "type" in schema and schema["type"] not in _TYPES:
        yield unsupported_value(f"{path}.type", schema["type"], _TYPES)
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            yield invalid_value(f"{path}.pattern", schema["pattern"], f"must be a valid regular expression: {error}")
    for name, part in schema.get("properties", {}).items():
        yield from _schema_errors(part, f"{child(path, 'properties')}[{name}]")
    for field in ("items", "additionalProperties"):
        if isinstance(schema.get(field), dict):
            yield from _schema_errors(schema[field], child(path, field))


def resources_of(definition: Object) -> list[Resource]:
    """The resources that a valid definition makes the server serve, one for each served version."""
    spec, names = definition["spec"], definition["spec"]["names"]
    resources = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        schema = version["schema"]["openAPIV3Schema"]
        resources.append(
            Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                singular=names["singular"],
                short_names=tuple(names.get("shortNames", ())),
                categories=tuple(names.get("categories", ())),
                subresources=frozenset(version.get("subresources") or {}) & {"status"},
                schema=with_object_fields(schema),
                custom=True,
                rules=compile_rules(schema),
                columns=tuple(version.get("additionalPrinterColumns", ())),
                selectable_fields=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields", ())),
            )
        )
    return resources
