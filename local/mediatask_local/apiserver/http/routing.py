"""Parsing of resource paths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed resource path. `namespace` is None for "all namespaces" and for cluster-scoped kinds."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str | None = None
    subresource: str = ""


def parse(parts: list[str]) -> Target | None:
    """`/api/v1/...` and `/apis/GROUP/VERSION/...`, split at slashes; None for shorter or longer paths.

    `namespaces/NAME/status` and `namespaces/NAME/finalize` name the namespace itself; any other third part names
    something inside it.
    """
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        if len(parts) < 3:
            return None
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = None
    if len(rest) >= 3 and rest[0] == "namespaces" and not (not group and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        return None
    name = rest[1] if len(rest) > 1 else None
    return Target(group, version, rest[0], namespace, name, rest[2] if len(rest) > 2 else "")
