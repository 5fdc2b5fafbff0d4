# Generated from `_async` by `make client`.
"""A submitted task, and what the client can do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from ..models import Submitted, Task
from ..rest.events import Event

if TYPE_CHECKING:
    from .tasks import Tasks


class Submission(Submitted):
    """The answer to a submit; its methods act on the task."""

    _client: Tasks = PrivateAttr()

    def get(self) -> Task:
        """Its state."""
        return self._client.get(self.task_id)

    def wait(self, *, timeout: float | None = None, on_change: Callable[[Task], None] | None = None) -> Task:
        """Its state once it has ended, however it ended. Raises WaitTimeout after `timeout` seconds."""
        return self._client.wait(self.task_id, timeout=timeout, on_change=on_change)

    def stream(self, *, include: Iterable[str] = (), last_id: str | None = None) -> Iterator[Event]:
        """Its events until it has ended; see `Client.stream`."""
        return self._client.stream(self.task_id, include=include, last_id=last_id)

    def cancel(self) -> Task:
        """Stop it. Raises Conflict: it has ended already."""
        return self._client.cancel(self.task_id)

    def download(self, to: Path) -> Path:
        """Write its media to a file, or into a folder. Raises NotCompleted, TaskFailed: there is none."""
        return self._client.download(self.task_id, to)
