"""The asynchronous client.

async with AsyncClient() as client:
    task = await client.run("generate_image", {"prompt": "a lighthouse at dusk"}, project_id="demo")
    await client.download(task.task_id, Path("lighthouse.jpg"))
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ..models import Budgets, CostRecords, Services, TaskType, Usage
from ..rest import calls
from .keys import AsyncKeys
from .reviews import AsyncReviews
from .tasks import AsyncTasks


class AsyncClient(AsyncTasks, AsyncReviews, AsyncKeys):
    """A connection to one service, for many tasks at once.

    Every method raises a subclass of `APIError` when the service refuses, and `Unavailable` when it cannot be reached.

    Args:
        url, api_key: from the environment or a running local mode when absent (`config.resolve`).
        folder: state folder of a local mode to connect to.
        token: a bearer token instead of a key: itself, a `Path` that is read anew for each request, or a function.
        timeout: seconds for each try of a request, or an `httpx.Timeout`; 30, and 5 to connect, when absent. Streams,
            logs and uploads have limits of their own.
        http_client: to be used instead of an own one, with its proxies, certificates and limits; it is not closed.

    Raises:
        NotConfigured: no address or no credential.
    """

    async def usage(
        self, project_id: str, *, first: date | None = None, last: date | None = None, group_by: str = "day"
    ) -> Usage:
        """What a project has used, up to a year; the last 30 days where nothing is said.

        Args:
            group_by: day, task_type or class.
        """
        return await self._run(calls.usage(project_id, first=first, last=last, group_by=group_by))

    async def budgets(self, project_id: str) -> Budgets:
        """The project's budgets and how they stand."""
        return await self._run(calls.budgets(project_id))

    async def cost_records(
        self, project_id: str, *, first: date | None = None, last: date | None = None, cursor: str | None = None
    ) -> CostRecords:
        """What each ended task has used and is charged, some at a time, of the same days as `usage`."""
        return await self._run(calls.cost_records(project_id, first=first, last=last, cursor=cursor))

    async def task_types(self) -> Sequence[TaskType]:
        """The catalogue of task types."""
        return await self._run(calls.task_types())

    async def task_type(self, name: str) -> TaskType:
        """One task type with its JSON Schema, defaults and classes."""
        return await self._run(calls.task_type(name))

    async def services(self) -> Services:
        """The services that the platform is configured with, and whether they answer; takes a second at most."""
        return await self._run(calls.services())
