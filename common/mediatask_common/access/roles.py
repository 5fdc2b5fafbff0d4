"""Scopes, and the roles that stand for some of them. `docs/identity.md` has the same table; a test compares them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ALL_PROJECTS = "*"
"""In a list of projects: every one."""

SCOPES = {
    "tasks:submit": "submit tasks",
    "tasks:read": "status, lists, events and logs of tasks",
    "tasks:cancel": "cancel tasks",
    "tasks:retry": "retry failed and cancelled tasks",
    "tasks:prioritize": "change the priority of queued tasks",
    "media:read": "fetch media",
    "uploads:write": "upload inputs",
    "usage:read": "counts, GPU time and cost of a project",
    "webhooks:write": "send webhooks again",
    "results:review": "see held media, release and reject it",
    "keys:admin": "create, list and revoke API keys",
    "platform:read": "task types, workers and statistics",
}
"""Every scope, with what it allows in the caller's projects; each route but the public ones requires one."""

RoleName = Literal["viewer", "writer", "director", "producer"]


@dataclass(frozen=True)
class Grant:
    """What a caller may do in its projects."""

    scopes: frozenset[str]
    own_tasks_only: bool = False
    """It changes (cancels, retries) only tasks that it has submitted itself; it sees all of its projects."""

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this may hand out the other one."""
        return other.scopes <= self.scopes and (other.own_tasks_only or not self.own_tasks_only)


_VIEWER = {"tasks:read", "media:read", "usage:read", "platform:read"}
_WRITER = _VIEWER | {"tasks:submit", "uploads:write", "tasks:cancel", "tasks:retry"}

ROLES: dict[RoleName, Grant] = {
    "viewer": Grant(frozenset(_VIEWER), own_tasks_only=True),
    "writer": Grant(frozenset(_WRITER), own_tasks_only=True),
    "director": Grant(frozenset(SCOPES.keys() - {"keys:admin", "results:review"})),
    "producer": Grant(frozenset(SCOPES)),
}


def of_roles(names: Iterable[str]) -> Grant:
    """What several roles grant together; names that are no roles grant nothing. Case does not matter."""
    named = {name.lower() for name in names}
    held = [grant for role, grant in ROLES.items() if role in named]
    return Grant(frozenset().union(*(role.scopes for role in held)), all(role.own_tasks_only for role in held))


def of_scopes(names: Iterable[str]) -> Grant:
    """What scopes grant; names that are no scopes, as of a later version, grant nothing."""
    return Grant(frozenset(SCOPES) & frozenset(names))
