"""What waits for one reader of a stream, within bounds."""

from __future__ import annotations

import asyncio
from collections import deque

from .event import Event

MOST_WAITING = 256
"""Events that may wait for a reader."""
MOST_BYTES = 1024 * 1024
"""Bytes of them, as they go over the wire."""


class Subscription:
    """A reader of the events of one task, or of a project's (`task_id` is None)."""

    def __init__(self, project: str, task_id: str | None, *, previews: bool = False) -> None:
        self.project = project
        self.task_id = task_id
        self.previews = previews
        self.closed: str | None = None
        """Why nothing more comes."""
        self._waiting: deque[Event] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._taken = asyncio.Event()

    def offer(self, event: Event) -> None:
        """One more event, unless the reader is too far behind: then it is cut off."""
        if self.closed is not None or (event.kind == "preview" and not self.previews):
            return
        self._waiting.append(event)
        self._bytes += len(self.wire(event))
        if len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES:
            self._waiting.clear()
            self.close("slow_reader")
        self._news.set()

    def close(self, reason: str) -> None:
        """Nothing more comes after what waits."""
        self.closed = self.closed or reason
        self._news.set()

    async def take(self, seconds: float) -> list[Event]:
        """What waits, or comes within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return []
        self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._taken.set()
        return taken

    async def room(self) -> None:
        """Return once few events wait: for what can be read later as well."""
        if len(self._waiting) >= MOST_WAITING // 4 and self.closed is None:
            self._taken.clear()
            await self._taken.wait()

    def wire(self, event: Event) -> bytes:
        """The event in the form of this stream."""
        return event.for_project if self.task_id is None else event.for_task
