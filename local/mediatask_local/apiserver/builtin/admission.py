"""Defaults and validation of built-in kinds. Custom resources have schemas for that."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from ..errors import FieldError, forbidden_field, invalid_value
from ..objects import Object
from .jobs import job_errors, set_job_defaults, set_job_selector
from .pods import admit_pod, pod_errors, quality_of_service, set_own_pod_defaults

# Fields of a pod's spec that may change, besides container images.
_MUTABLE_POD_FIELDS = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations")


def set_builtin_defaults(storage: str, obj: Object) -> None:
    """Set the defaults of every write, in place; `storage` is a storage name such as `jobs.batch`."""
    if storage == "jobs.batch":
        set_job_defaults(obj)
    elif storage == "pods" and isinstance(obj.get("spec"), dict):
        set_own_pod_defaults(obj["spec"])
    elif storage == "secrets":
        for name, text in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
        obj.setdefault("type", "Opaque")
    elif storage == "namespaces":
        name = obj["metadata"].get("name", "")
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def prepare_new(storage: str, obj: Object) -> None:
    """Set what only the server decides about a new object, in place; no field manager owns these fields."""
    if storage == "jobs.batch":
        set_job_selector(obj)
    elif storage == "pods" and isinstance(obj.get("spec"), dict):
        admit_pod(obj["spec"])
        obj["status"] = {"phase": "Pending", "qosClass": quality_of_service(obj["spec"])}
    elif storage == "namespaces":
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}


def builtin_errors(storage: str, obj: Object, old: Object | None) -> list[FieldError]:
    """Validation errors of a built-in object and, on update, of its change from `old`."""
    return list(_errors(storage, obj, old))


def _errors(storage: str, obj: Object, old: Object | None) -> Iterator[FieldError]:
    if storage == "jobs.batch":
        yield from job_errors(obj, old)
    elif storage == "pods":
        yield from pod_errors(obj.get("spec"), "spec")
        if old is not None:
            yield from _pod_change_errors(obj, old)
    elif storage == "secrets":
        for name, text in (obj.get("data") or {}).items():
            try:
                base64.b64decode(text, validate=True)
            except (binascii.Error, TypeError, ValueError):
                yield invalid_value(f"data[{name}]", text, "must be base64 encoded")
        if old is not None and old.get("type") != obj.get("type"):
            yield invalid_value("type", obj.get("type"), "field is immutable")
        if old is not None and old.get("immutable") and old.get("data") != obj.get("data"):
            yield forbidden_field("data", "field is immutable when `immutable` is set")
    elif storage == "events":
        about = obj.get("involvedObject") or {}
        if about.get("namespace", "") not in ("", obj["metadata"].get("namespace", "")):
            detail = "does not match event.namespace"
            yield invalid_value("involvedObject.namespace", about["namespace"], detail)
    elif storage == "leases.coordination.k8s.io":
        duration = (obj.get("spec") or {}).get("leaseDurationSeconds")
        if duration is not None and duration <= 0:
            yield invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0")


def _pod_change_errors(pod: Object, old: Object) -> Iterator[FieldError]:
    def fixed(spec: Object) -> Object:
        part = {name: value for name, value in spec.items() if name not in _MUTABLE_POD_FIELDS}
        for field in ("containers", "initContainers"):
            if field in part:
                part[field] = [{**container, "image": ""} for container in part[field]]
        return part

    if fixed(pod["spec"]) != fixed(old["spec"]):
        yield forbidden_field(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )
