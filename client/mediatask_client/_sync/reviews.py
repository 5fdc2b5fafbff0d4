# Generated from `_async` by `make client`.
"""Reviews of held media, for callers with the scope `results:review`."""

from __future__ import annotations

from typing import Literal

from ..models import HeldTasks, Task
from ..rest import calls
from .connection import Connected


class Reviews(Connected):
    """What is held, and decisions about it."""

    def reviews(self, project_id: str | None = None, *, limit: int = 20) -> HeldTasks:
        """Tasks whose media waits for a review, the longest first, with links to the media."""
        return self._run(calls.reviews(project_id, limit))

    def review(self, task_id: str, decision: Literal["release", "reject"], note: str = "") -> Task:
        """Release a task's held media, or reject it.

        Raises:
            Conflict: nothing of the task is held.
        """
        return self._run(calls.review(task_id, decision, note))
