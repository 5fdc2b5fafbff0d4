"""Tasks: submit, look at, change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import config, inputs
from ..models import BatchResult, Estimation, Page, Task, Webhook
from ..rest import calls
from .events import AsyncEvents
from .media import AsyncMedia
from .submission import AsyncSubmission
from .uploads import AsyncUploads


class AsyncTasks(AsyncUploads, AsyncEvents, AsyncMedia):
    """The life of tasks."""

    async def submit(
        self,
        /,
        project_id: str,
        task_type: str,
        task_data: Mapping[str, Any],
        *,
        priority: int | None = None,
        tags: Sequence[str] | None = None,
        not_before: datetime | str | None = None,
        callback_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **extra: Any,
    ) -> AsyncSubmission:
        """Queue a task. Repeated after a lost connection, it is still one task.

        Args:
            task_data: a `Path` where a field takes a URL is uploaded; text is sent as it is.
            tags: words to find the task by.
            not_before: when it may start at the earliest, with a time zone; text is RFC 3339.
            idempotency_key: identifies this request; the same key gives the same task, from any process.
            extra: further fields of the request, as the service documents them.
        """
        paths = inputs.local_paths(task_data)
        uploads = {path: (await self.upload(path, project_id)).reference for path in paths}
        call = calls.submit(
            AsyncSubmission,
            project_id,
            task_type,
            inputs.with_references(task_data, uploads) if uploads else task_data,
            priority=priority,
            tags=tags,
            not_before=not_before,
            callback_url=callback_url,
            metadata=metadata,
            idempotency_key=idempotency_key,
            extra=extra,
        )
        submission = await self._run(call)
        submission._client = self
        return submission

    async def estimate(
        self,
        /,
        project_id: str,
        task_type: str,
        task_data: Mapping[str, Any],
        *,
        priority: int | None = None,
        **extra: Any,
    ) -> Estimation:
        """How long the task would wait and run and what it would cost; nothing is created.

        Args:
            task_data: valid, as for a submit; a file has to be uploaded before it.
            extra: further fields of the request.
        """
        return await self._run(calls.estimate(project_id, task_type, task_data, priority=priority, extra=extra))

    async def run(
        self,
        task_type: str,
        task_data: Mapping[str, Any],
        *,
        project_id: str | None = None,
        timeout: float | None = None,
        on_change: Callable[[Task], None] | None = None,
        priority: int | None = None,
        tags: Sequence[str] | None = None,
        not_before: datetime | str | None = None,
        callback_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **extra: Any,
    ) -> Task:
        """Submit a task, wait until it has completed, and return it; what is not named here is as for `submit`.

        Args:
            project_id: `MEDIATASK_PROJECT`, else `default`, when absent.
            on_change: called with the task whenever it has changed.

        Raises:
            TaskFailed: it has failed or was cancelled.
            WaitTimeout: after `timeout` seconds; the task goes on.
        """
        submission = await self.submit(
            project_id or config.project(),
            task_type,
            task_data,
            priority=priority,
            tags=tags,
            not_before=not_before,
            callback_url=callback_url,
            metadata=metadata,
            idempotency_key=idempotency_key,
            **extra,
        )
        task = await submission.wait(timeout=timeout, on_change=on_change)
        return task.raise_for_status()

    async def batch(self, tasks: Sequence[Mapping[str, Any]], *, atomic: bool = False) -> Sequence[BatchResult]:
        """Queue 1 to 100 tasks; what became of each, in order.

        Args:
            tasks: bodies of submits: `project_id`, `task_type`, `task_data` and so on, and `idempotency_key`.
            atomic: all or none.

        Raises:
            InvalidRequest, AccessDenied: `atomic`, and one of them cannot be accepted.
        """
        return await self._run(calls.batch(tasks, atomic=atomic))

    async def get(self, task_id: str) -> Task:
        """A task's state."""
        return await self._run(calls.status(task_id))

    async def page(
        self,
        project_id: str,
        page: int = 1,
        limit: int = 20,
        *,
        status: str | None = None,
        task_type: str | None = None,
        tag: str | None = None,
        cursor: str | None = None,
    ) -> Page:
        """One page of a project's tasks, newest first; `limit` is 100 at most.

        Args:
            cursor: `next_cursor` of an earlier page, instead of a page's number: goes on just after it.
        """
        call = calls.page(
            project_id, page=page, limit=limit, status=status, task_type=task_type, tag=tag, cursor=cursor
        )
        return await self._run(call)

    async def list(
        self, project_id: str, *, status: str | None = None, task_type: str | None = None, tag: str | None = None
    ) -> AsyncIterator[Task]:
        """All tasks of a project, newest first, fetched page by page; each once, also while new ones arrive."""
        cursor = None
        while True:
            found = await self.page(project_id, limit=100, status=status, task_type=task_type, tag=tag, cursor=cursor)
            for task in found.tasks:
                yield task
            cursor = found.next_cursor
            if cursor is None:
                return

    async def cancel(self, task_id: str) -> Task:
        """Stop a queued or running task; its state right after, which may still be `processing`.

        Raises:
            Conflict: it has ended already.
        """
        return await self._run(calls.cancel(task_id)) or await self.get(task_id)

    async def retry(self, task_id: str) -> Task:
        """Another round of attempts for a failed or cancelled task, under the same id.

        Raises:
            Conflict: it is neither.
        """
        await self._run(calls.retry(task_id))
        return await self.get(task_id)

    async def set_priority(self, task_id: str, priority: int) -> Task:
        """Give a queued task another priority; 0 is most urgent, 9 least.

        Raises:
            Conflict: it is not queued any more.
        """
        return await self._run(calls.set_priority(task_id, priority))

    async def webhook(self, task_id: str) -> Webhook:
        """What became of a task's webhook, with its last tries."""
        return await self._run(calls.webhook(task_id))

    async def redeliver_webhook(self, task_id: str) -> Webhook:
        """Ask for a task's last webhook to be delivered anew.

        Raises:
            Conflict: none was sent yet.
        """
        return await self._run(calls.redeliver(task_id))
