"""Small helpers for plain Kubernetes objects (nested dicts as they come from JSON)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

Object = dict[str, Any]


def clone(value: Any) -> Any:
    """A deep copy. Stored objects are shared and never changed in place; orjson copies faster than copy.deepcopy."""
    return orjson.loads(orjson.dumps(value))


def encode(value: Any) -> bytes:
    return orjson.dumps(value)


def timestamp(after_seconds: float = 0) -> str:
    """Now (or later) as `metav1.Time`: UTC with second precision."""
    return (datetime.now(UTC) + timedelta(seconds=after_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lookup(value: Any, path: str) -> Any:
    """The value at a dotted path such as `spec.nodeName`; None when any part is missing."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def api_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
