"""One command's connection, and what verbs do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Self, TypeVar

from .._sync.client import Client
from ..errors import APIError, NotFound, UsageError
from ..files import other_name, target
from ..inputs import local_paths, with_references
from ..models import CostRecord, Task, TaskType, Upload
from .submission import closest
from .terminal.display import display, sending
from .terminal.output import stderr

T = TypeVar("T")

SHORTEST_PREFIX = 4
"""Characters of an id that may stand for it; fewer are more likely a slip."""
LOOKED_THROUGH = 100
"""Newest tasks of a project whose ids may be shortened: one page."""


class Session:
    """Open between `with` and its end."""

    def __init__(self, url: str | None, api_key: str | None, folder: Path) -> None:
        self.client = Client(url, api_key, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def cost_records(self, project: str, *, first: date | None, last: date | None) -> Iterator[CostRecord]:
        """All cost records of these days, some at a time."""
        cursor = None
        while True:
            some = self.client.cost_records(project, first=first, last=last, cursor=cursor)
            yield from some.records
            cursor = some.next_cursor
            if not cursor:
                return

    def on(self, given: str, project: str, act: Callable[[str], T]) -> T:
        """What `act` gives for the task with this id, or else with the one id of the project that begins so.

        Raises:
            NotFound: there is none.
            UsageError: there are several.
        """
        try:
            return act(given)
        except NotFound as missing:
            matches = self._beginning_with(given, project) if len(given) >= SHORTEST_PREFIX else []
            if not matches:
                raise missing
        if len(matches) > 1:
            raise UsageError(f"{given} is the beginning of {len(matches)} ids, give more of it: {', '.join(matches)}")
        return act(matches[0])

    def _beginning_with(self, given: str, project: str) -> list[str]:
        try:
            newest = self.client.page(project, limit=LOOKED_THROUGH).tasks
        except APIError:
            return []
        return [task.task_id for task in newest if task.task_id.startswith(given)]

    def unfinished(self, project: str) -> list[str]:
        """Ids of a project's running and waiting tasks."""
        states = ("processing", "queued")
        return [task.task_id for status in states for task in self.client.list(project, status=status)]

    def task_type(self, name: str) -> TaskType:
        """Raises UsageError: there is none, with what could be meant."""
        try:
            return self.client.task_type(name)
        except NotFound:
            known = [entry.name for entry in self.client.task_types()]
            near = closest(name, known)
            raise UsageError(f"unknown task type {name}{near}; there are: {', '.join(known)}") from None

    def schema(self, name: str) -> dict[str, Any]:
        """JSON Schema of a type's `task_data`."""
        return self.task_type(name).json_schema

    def upload(self, path: Path, project: str) -> Upload:
        """Upload a file, with a bar on standard error while a large one is sent."""
        with sending(stderr(), path) as shown:
            return self.client.upload(path, project, on_progress=shown)

    def with_uploads(self, body: dict[str, Any]) -> dict[str, Any]:
        """Arguments of `Client.submit` with the files of its task data uploaded."""
        data, project = body["task_data"], body["project_id"]
        references = {path: self.upload(path, project).reference for path in local_paths(data)}
        return {**body, "task_data": with_references(data, references)} if references else body

    def follow(self, task_ids: Iterable[str]) -> list[Task]:
        """Show tasks on standard error until all have ended; their final states."""
        last: dict[str, Task] = {}
        with display(stderr()) as shown:
            for task in self.client.follow(task_ids):
                last[task.task_id] = task
                shown.show(task)
        return list(last.values())

    def download(self, task: Task, to: Path) -> list[Path]:
        """Write a task's media to a file, or all its files to a folder (a path without a suffix, made when missing)."""
        media, *others = task.artifacts()
        if to.suffix and not to.is_dir():
            return [self.client.fetch(media, to)]
        to.mkdir(parents=True, exist_ok=True)
        first = self.client.fetch(media, target(to, task.task_id, media))
        return [first, *(self.client.fetch(other, to / other_name(task.task_id, other)) for other in others)]
