"""The custom resource that the suite brings along, and builders of the objects it sends."""

from __future__ import annotations

import copy
import uuid
from typing import Any

# A group of this run alone: what an earlier run left behind on a shared server is not in the way.
GROUP = f"run-{uuid.uuid4().hex[:8]}.conformance.tasks.ft.tc"
VERSION = "v1"
PLURAL = "samples"
KIND = "Sample"
API = f"/apis/{GROUP}/{VERSION}"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MODES = ["image", "video", "audio"]

_CONDITION = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "string"},
        "reason": {"type": "string"},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
    },
}
_SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What is wanted.",
    "required": ["mode"],
    "properties": {
        "mode": {"type": "string", "enum": MODES, "description": "What to make."},
        "project": {"type": "string", "maxLength": 8, "minLength": 2, "pattern": "^[a-z]+$"},
        "level": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
        "rank": {"type": "integer"},
        "ratio": {"type": "number"},
        "cancel": {"type": "boolean", "default": False},
        "when": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 3},
        "steps": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 30},
                    "count": {"type": "integer", "default": 1},
                },
                "x-kubernetes-validations": [
                    {"rule": "self.count < 100", "message": "count must stay below 100", "fieldPath": ".count"}
                ],
            },
        },
        "shape": {
            "type": "object",
            "properties": {"side": {"type": "integer"}, "radius": {"type": "integer"}},
            "x-kubernetes-validations": [
                {"rule": "dyn(self).all(field, field in ['side'])", "message": "a square has a side"}
            ],
        },
        "words": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "port": {"x-kubernetes-int-or-string": True},
        "maybe": {"type": "string", "nullable": True},
        "fixed": {
            "type": "string",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}],
        },
    },
    "x-kubernetes-validations": [
        {
            "rule": "self.mode != 'video' || has(self.ratio)",
            "message": "ratio is required for video",
            "fieldPath": ".ratio",
            "reason": "FieldValueRequired",
        },
        {
            "rule": "!has(self.words) || self.words.all(w, w.startsWith('w')) && size(self.words) < 5",
            "messageExpression": "'words must start with w, found ' + self.words[0]",
        },
        {
            "rule": "!oldSelf.cancel || self.cancel",
            "message": "cancel cannot be taken back",
            "reason": "FieldValueForbidden",
            "fieldPath": ".cancel",
        },
    ],
}


def definition(group: str = GROUP, plural: str = PLURAL, kind: str = KIND) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [
            {
                "rule": "!has(self.spec.rank) || !has(oldSelf.spec.rank) || self.spec.rank == oldSelf.spec.rank"
                " || !has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase == 'queued'",
                "message": "rank may change only while queued",
                "fieldPath": ".spec.rank",
                "reason": "FieldValueForbidden",
            }
        ],
        "properties": {
            "spec": copy.deepcopy(_SPEC),
            "status": {
                "type": "object",
                "properties": {
                    "phase": {"type": "string"},
                    "progress": {"type": "number"},
                    "step": {"type": "string"},
                    "conditions": {
                        "type": "array",
                        "items": _CONDITION,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["type"],
                    },
                },
            },
        },
    }
    ready = '.status.conditions[?(@.type=="Ready")].status'
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.mode"}],
        "additionalPrinterColumns": [
            {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
            {"name": "Ready", "type": "string", "jsonPath": ready},
            {"name": "Level", "type": "integer", "jsonPath": ".spec.level", "priority": 1},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "shortNames": [f"{kind.lower()[:3]}x"],
                "categories": ["all"],
            },
            "versions": [version],
        },
    }


def sample(name: str | None = None, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A valid Sample; keyword arguments replace or add fields of its spec."""
    identity = {"name": name} if name else {}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {**identity, **(metadata or {})},
        "spec": {"mode": "image", **spec},
    }


def job(name: str, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A suspended Job: no controller starts pods for it."""
    container = {"name": "c", "image": "x:1", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"suspend": True, "template": template, **spec},
    }


def pod(name: str, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "x:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"automountServiceAccountToken": False, "containers": [container], **spec},
    }
