"""CustomResourceDefinitions: defaults, validation, and the resources that they define."""

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
# Keeps a CRD until its last custom resource is gone.
CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_TYPES = ("object", "array", "string", "integer", "number", "boolean")


def set_crd_defaults(crd: Object) -> None:
    """Set names, conversion and, at once, the conditions of an established CRD, in place."""
    spec = crd.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return
    names = spec["names"]
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})
    finalizers = crd["metadata"].setdefault("finalizers", [])
    if CLEANUP_FINALIZER not in finalizers and not crd["metadata"].get("deletionTimestamp"):
        finalizers.append(CLEANUP_FINALIZER)
    if "status" not in crd:
        established = (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
        crd["status"] = {
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


def crd_errors(crd: Object) -> list[FieldError]:
    """Validation errors of a CRD, including CEL rules that do not compile."""
    return list(_errors(crd))


def _errors(crd: Object) -> Iterator[FieldError]:
    spec = crd.get("spec")
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
    if crd["metadata"].get("name") != name:
        yield invalid_value("metadata.name", crd["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group')
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value("spec.versions", [], "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        # With one version, the real server reports paths as in v1beta1, where all versions shared one schema.
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
    """No more than the real server checks: it accepts a path that it cannot parse, and ends the table before it."""
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
    """Errors in a structural schema: it needs a type at every level, and patterns that compile."""
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


def resources_of(crd: Object) -> list[Resource]:
    """The resources that a valid CRD defines, one per served version."""
    spec, names = crd["spec"], crd["spec"]["names"]
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
