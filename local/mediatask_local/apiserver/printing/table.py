"""The tables that `kubectl get` prints: the server renders the cells, the client only lays them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..objects import Object, lookup
from ..registry.resources import Resource
from . import jsonpath

Cell = Callable[[Object], Any]


@dataclass(frozen=True)
class Column:
    """One column. Columns with a priority above 0 appear with `-o wide` only."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def render(resource: Resource, objects: Iterable[Object], list_metadata: Object, include: str = "Metadata") -> Object:
    """A `meta.k8s.io/v1` Table. `include` is what each row carries: Metadata, Object or None."""
    columns = columns_of(resource)
    rows = []
    for obj in objects:
        row: Object = {"cells": [column.cell(obj) for column in columns]}
        if include == "Object":
            row["object"] = obj
        elif include != "None":
            row["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": obj["metadata"],
            }
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": [column.definition() for column in columns],
        "rows": rows,
    }


def columns_of(resource: Resource) -> list[Column]:
    if resource.custom:
        own: list[Column] = []
        for column in resource.columns:
            try:
                own.append(_custom(column))
            except ValueError:
                break  # as in the real server: an invalid path ends the columns
        return [_NAME, *own] if resource.columns else [_NAME, _AGE]
    return _BUILTIN.get(resource.storage_name, [_NAME, _AGE])


def _custom(spec: Object) -> Column:
    path, kind = spec["jsonPath"], spec["type"]
    jsonpath.parse(path)

    def cell(obj: Object) -> Any:
        found = jsonpath.find(obj, path)
        if not found:
            return None
        value = found[0]
        if kind == "date":
            return age(value)
        if kind in ("integer", "number", "boolean"):
            return value
        return str(value) if not isinstance(value, (dict, list)) else value

    return Column(
        spec["name"], cell, kind, spec.get("priority", 0), spec.get("format", ""), spec.get("description", "")
    )


def age(time: Any) -> str:
    """How long ago, in the format of `kubectl`; `<unknown>` for an invalid time."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(str(time))).total_seconds()
    except ValueError:
        return "<unknown>"
    return duration(seconds)


def duration(seconds: float) -> str:
    """`45s`, `3m20s`, `59m`, `3h5m`, `17h`, `2d3h`, `45d`, `2y10d`: `HumanDuration` of apimachinery."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole > -2 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


def _at(path: str, missing: Any = "<none>") -> Cell:
    def cell(obj: Object) -> Any:
        value = lookup(obj, path)
        return missing if value in (None, "") else value

    return cell


def _age_of(path: str) -> Cell:
    return lambda obj: age(lookup(obj, path))


# --- Jobs


def _job_status(job: Object) -> str:
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    true = {c["type"] for c in lookup(job, "status.conditions") or () if c.get("status") == "True"}
    for condition in ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition in true:
            return condition
    return "Running"


def _job_completions(job: Object) -> str:
    return f"{lookup(job, 'status.succeeded') or 0}/{lookup(job, 'spec.completions') or 1}"


def _job_duration(job: Object) -> str:
    start, end = lookup(job, "status.startTime"), lookup(job, "status.completionTime")
    if not start:
        return ""
    until = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return duration((until - datetime.fromisoformat(start)).total_seconds())


def _containers(field: str, path: str) -> Cell:
    return lambda obj: ",".join(str(c.get(field, "")) for c in lookup(obj, path) or ())


def _match_labels(obj: Object) -> str:
    labels = lookup(obj, "spec.selector.matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"


# --- Pods


def _pod_ready(pod: Object) -> str:
    statuses = lookup(pod, "status.containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(lookup(pod, 'spec.containers') or ())}"


def _pod_status(pod: Object) -> str:
    """The reason of a waiting or terminated container takes precedence over the phase."""
    reason = lookup(pod, "status.reason") or lookup(pod, "status.phase") or "Unknown"
    for status in lookup(pod, "status.containerStatuses") or ():
        state = status.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated:
            code = terminated.get("exitCode", 0)
            reason = terminated.get("reason") or f"ExitCode:{code}"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else str(reason)


def _pod_restarts(pod: Object) -> str:
    return str(sum(s.get("restartCount", 0) for s in lookup(pod, "status.containerStatuses") or ()))


# --- Events


def _event_object(event: Object) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_seen(first: bool) -> Cell:
    fields = ("firstTimestamp", "eventTime") if first else ("series.lastObservedTime", "lastTimestamp", "eventTime")

    def cell(event: Object) -> str:
        time = next((t for t in (lookup(event, field) for field in fields) if t), None)
        return age(time or event["metadata"]["creationTimestamp"])

    return cell


# --- Nodes


def _node_status(node: Object) -> str:
    ready = any(c["type"] == "Ready" and c.get("status") == "True" for c in lookup(node, "status.conditions") or ())
    text = "Ready" if ready else "NotReady"
    return f"{text},SchedulingDisabled" if lookup(node, "spec.unschedulable") else text


def _node_address(kind: str) -> Cell:
    def cell(node: Object) -> str:
        addresses = lookup(node, "status.addresses") or ()
        return next((str(a["address"]) for a in addresses if a.get("type") == kind), "<none>")

    return cell


_NAME = Column("Name", _at("metadata.name"), format="name")
_AGE = Column("Age", _age_of("metadata.creationTimestamp"))

_BUILTIN: dict[str, list[Column]] = {
    "jobs.batch": [
        _NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        _AGE,
        Column("Containers", _containers("name", "spec.template.spec.containers"), priority=1),
        Column("Images", _containers("image", "spec.template.spec.containers"), priority=1),
        Column("Selector", _match_labels, priority=1),
    ],
    "pods": [
        _NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        _AGE,
        Column("IP", _at("status.podIP"), priority=1),
        Column("Node", _at("spec.nodeName"), priority=1),
        Column("Nominated Node", _at("status.nominatedNodeName"), priority=1),
        Column("Readiness Gates", lambda pod: "<none>", priority=1),
    ],
    "events": [
        Column("Last Seen", _event_seen(first=False)),
        Column("Type", _at("type", "")),
        Column("Reason", _at("reason", "")),
        Column("Object", _event_object),
        Column("Subobject", _at("involvedObject.fieldPath", ""), priority=1),
        Column("Source", _at("source.component", ""), priority=1),
        Column("Message", lambda event: str(event.get("message", "")).strip()),
        Column("First Seen", _event_seen(first=True), priority=1),
        Column("Count", lambda event: str(event.get("count") or 1), priority=1),
        Column("Name", _at("metadata.name"), format="name", priority=1),
    ],
    "namespaces": [_NAME, Column("Status", _at("status.phase")), _AGE],
    "nodes": [
        _NAME,
        Column("Status", _node_status),
        Column("Roles", lambda node: "<none>"),
        _AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion", "")),
        Column("Internal-IP", _node_address("InternalIP"), priority=1),
        Column("External-IP", _node_address("ExternalIP"), priority=1),
        Column("OS-Image", _at("status.nodeInfo.osImage", "<unknown>"), priority=1),
        Column("Kernel-Version", _at("status.nodeInfo.kernelVersion", "<unknown>"), priority=1),
        Column("Container-Runtime", _at("status.nodeInfo.containerRuntimeVersion", "<unknown>"), priority=1),
    ],
    "configmaps": [_NAME, Column("Data", lambda obj: str(len(obj.get("data") or ()))), _AGE],
    "secrets": [
        _NAME,
        Column("Type", _at("type", "")),
        Column("Data", lambda obj: str(len(obj.get("data") or ()))),
        _AGE,
    ],
    "leases.coordination.k8s.io": [_NAME, Column("Holder", _at("spec.holderIdentity", "")), _AGE],
    "customresourcedefinitions.apiextensions.k8s.io": [
        _NAME,
        Column("Created At", _at("metadata.creationTimestamp"), "date"),
    ],
}
