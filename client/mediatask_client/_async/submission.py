"""A submitted task, and what the client can do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from ..models import Submitted, Task
from ..rest.events import Event

if TYPE_CHECKING:
    from .tasks import AsyncTasks


class AsyncSubmission(Submitted):
    """The answer to a submit; its methods act on the task."""

    _client: AsyncTasks = PrivateAttr()

    async def get(self) -> Task:
        """Its state."""
        return await self._client.get(self.task_id)

    async def wait(self, *, timeout: float | None = None, on_change: Callable[[Task], None] | None = None) -> Task:
        """Its state once it has ended, however it ended. Raises WaitTimeout after `timeout` seconds."""
        return await self._client.wait(self.task_id, timeout=timeout, on_change=on_change)

    def stream(self, *, include: Iterable[str] = (), last_id: str | None = None) -> AsyncIterator[Event]:
        """Its events until it has ended; see `AsyncClient.stream`."""
        return self._client.stream(self.task_id, include=include, last_id=last_id)

    async def cancel(self) -> Task:
        """Stop it. Raises Conflict: it has ended already."""
        return await self._client.cancel(self.task_id)

    async def download(self, to: Path) -> Path:
        """Write its media to a file, or into a folder. Raises NotCompleted, TaskFailed: there is none."""
        return await self._client.download(self.task_id, to)
