"""How far a task is, told to whoever waits for it: from the same events as the streams of REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ..auth.principal import Principal
from ..dependencies import Services
from ..events.event import Event

LOOK_SECONDS = 5.0
"""How often it is seen that nothing more comes."""

Report = Callable[[float, str], Awaitable[None]]
"""Takes the progress from 0 to 1, and what is being done."""


@asynccontextmanager
async def telling(services: Services, caller: Principal, task_id: str, report: Report | None) -> AsyncIterator[None]:
    """Report a task's progress until the end of the block.

    A caller who reads slower than events come gets no more of them; the wait itself goes on.
    """
    if report is None:
        yield
        return
    task = asyncio.create_task(_tell(services, caller, task_id, report))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _tell(services: Services, caller: Principal, task_id: str, report: Report) -> None:
    events = services.events
    await events.feeds.ready()
    found = await services.tasks.find(caller, task_id)
    with events.feeds.hub.subscribe(found["spec"]["projectId"], task_id) as subscription:
        # Once more: what happened before the subscription is in the resource.
        first, _ = await events.streams.first_of_task(await services.tasks.find(caller, task_id, true=True), None)
        rising = _Rising(report)
        for event in first:
            await rising.tell(event)
        while subscription.closed is None:
            for event in await subscription.take(LOOK_SECONDS):
                await rising.tell(event)


class _Rising:
    """Passes on what is further than before, as the protocol asks: a new attempt has to catch up first."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = -1.0

    async def tell(self, event: Event) -> None:
        progress = float(event.data["progress"]) if "progress" in event.data else self._last
        if progress > self._last:
            self._last = progress
            await self._report(progress, str(event.data.get("current_step") or event.data["status"]))
