"""Who is calling, whatever they have shown for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ALL_PROJECTS = "*"

SCOPES = frozenset(
    {
        "tasks:submit",
        "tasks:read",
        "tasks:cancel",
        "tasks:retry",
        "media:read",
        "platform:read",
    }
)
"""What a caller may be allowed to do; each route but the public ones asks for one of them."""


@dataclass(frozen=True)
class Principal:
    """A caller who has been authenticated."""

    id: str
    """Name, for logs and caps."""
    kind: Literal["api-key"]
    """How it was authenticated."""
    projects: frozenset[str]
    """Projects whose tasks it may see and change; `*` for all."""
    scopes: frozenset[str]
    """What it may do there."""

    def allows(self, project: str) -> bool:
        """Whether it may see and change tasks of a project."""
        return self.all_projects or project in self.projects

    @property
    def all_projects(self) -> bool:
        return ALL_PROJECTS in self.projects
