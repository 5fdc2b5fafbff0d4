"""Label and field selectors as predicates on objects."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import bad_request
from ..objects import Object, lookup

Predicate = Callable[[Object], bool]

_SET_BASED = re.compile(r"(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<op>!=|==|=)\s*(?P<value>[^\s=!]*)")
_EXISTENCE = re.compile(r"(?P<negated>!?)\s*(?P<key>[\w./-]+)")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?")

# Fields that field selectors of built-in kinds may use; others are refused, as in the real API server.
_BUILTIN_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "jobs.batch": ("status.successful",),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
# Field prefixes of events.k8s.io/v1 and those of core/v1, in which events are stored.
_EVENT_ALIASES = {"regarding.": "involvedObject.", "reportingController": "reportingComponent"}


def label_selector(text: str) -> Predicate | None:
    """A predicate for `app=x,tier in (a,b),!old`; None for an empty selector. Raises ApiError 400 if invalid."""
    requirements = [_label_requirement(part.strip()) for part in re.split(r",(?![^()]*\))", text) if part.strip()]
    if not requirements:
        return None

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


def _label_requirement(text: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET_BASED.fullmatch(text):
        values = {value.strip() for value in match["values"].split(",")}
        return _in(_key(match["key"], text), values, negated=match["op"] == "notin")
    if match := _EQUALITY.fullmatch(text):
        return _in(_key(match["key"], text), {match["value"]}, negated=match["op"] == "!=")
    if match := _EXISTENCE.fullmatch(text):
        key, present = _key(match["key"], text), not match["negated"]
        return lambda labels: (key in labels) == present
    raise bad_request(f"unable to parse requirement: {text}")


def _key(key: str, text: str) -> str:
    if not _LABEL_KEY.fullmatch(key):
        raise bad_request(f"unable to parse requirement: invalid label key in {text!r}")
    return key


def _in(key: str, values: set[str], *, negated: bool) -> Callable[[dict[str, str]], bool]:
    if negated:
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def field_selector(text: str, storage: str, selectable: tuple[str, ...] = ()) -> Predicate | None:
    """A predicate for `metadata.name=x,status.phase!=Failed`; `selectable` are a custom resource's selectableFields."""
    allowed = ("metadata.name", "metadata.namespace", *_BUILTIN_FIELDS.get(storage, ()), *selectable)
    requirements: list[tuple[str, str, bool]] = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([\w.-]+)(!=|==|=)(.*)", part)
        if not match:
            raise bad_request(f"invalid selector: {text!r}; can't understand {part!r}")
        path = match[1]
        if storage == "events":
            for alias, stored in _EVENT_ALIASES.items():
                path = stored + path.removeprefix(alias) if path.startswith(alias) else path
        if path not in allowed:
            raise bad_request(f"field label not supported: {match[1]}")
        requirements.append((path, match[3], match[2] != "!="))
    if not requirements:
        return None
    return lambda obj: all((_field(obj, path) == value) == wanted for path, value, wanted in requirements)


def _field(obj: Object, path: str) -> str:
    if path == "status.successful":
        return str(lookup(obj, "status.succeeded") or 0)
    if path == "source":
        return lookup(obj, "source.component") or obj.get("reportingComponent") or ""
    value = lookup(obj, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
