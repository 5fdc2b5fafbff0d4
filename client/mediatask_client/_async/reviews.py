"""Reviews of held media, for callers with the scope `results:review`."""

from __future__ import annotations

from typing import Literal

from ..models import HeldTasks, Task
from ..rest import calls
from .connection import AsyncConnected


class AsyncReviews(AsyncConnected):
    """What is held, and decisions about it."""

    async def reviews(self, project_id: str | None = None, *, limit: int = 20) -> HeldTasks:
        """Tasks whose media waits for a review, the longest first, with links to the media."""
        return await self._run(calls.reviews(project_id, limit))

    async def review(self, task_id: str, decision: Literal["release", "reject"], note: str = "") -> Task:
        """Release a task's held media, or reject it.

        Raises:
            Conflict: nothing of the task is held.
        """
        return await self._run(calls.review(task_id, decision, note))
