"""Who is calling, whatever they have shown for it."""

from __future__ import annotations

from dataclasses import dataclass

from mediatask_common.access.roles import ALL_PROJECTS, Grant


@dataclass(frozen=True)
class Principal:
    """A caller who has been authenticated."""

    id: str
    """Unique among all kinds: `key:NAME`, `jwt:SUBJECT`, `system:serviceaccount:NAMESPACE:NAME`."""
    projects: frozenset[str]
    """Projects whose tasks it may see and change; `*` for all."""
    grant: Grant
    """What it may do there."""

    @property
    def scopes(self) -> frozenset[str]:
        return self.grant.scopes

    def allows(self, project: str) -> bool:
        """Whether it may see tasks of a project."""
        return self.all_projects or project in self.projects

    def may_change(self, submitted_by: str | None) -> bool:
        """Whether it may change a task of its projects that this caller has submitted (None: nobody over REST)."""
        return not self.grant.own_tasks_only or submitted_by == self.id

    @property
    def all_projects(self) -> bool:
        return ALL_PROJECTS in self.projects
