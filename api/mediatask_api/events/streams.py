"""The streams of callers: where each begins, when it ends, and that its caller may still read it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from mediatask_common.eventpositions import ENDED, PROGRESS, Position, parse_event_id
from mediatask_common.kube import Object
from mediatask_crds.task import Phase

from ..http.drain import Drain
from ..tasks.reading.reader import Filter, TaskReader
from ..tasks.resource import Sign
from .event import Event, by_position, message, news, present
from .feeds import Feeds
from .subscription import Subscription

LOOK_SECONDS = 1.0
"""How often a stream looks whether it has to end."""
CHECK_SECONDS = 2.0
"""How often it makes sure that its caller may still read it."""
RETRY_MILLISECONDS = 1000
"""How long a browser waits before it connects again."""
PAGE = 100
MOST_SHOWN = 500
"""Unfinished tasks, of each state, with which a project's stream begins."""

REASONS = {
    "slow_reader": "Events came faster than they were read.",
    "access_ended": "The credentials are not valid any more, or do not reach this project.",
    "draining": "This replica ends; connect again.",
    "time_limit": "A stream lasts no longer; connect again.",
    "deleted": "The task was deleted.",
}
"""Why a stream ends before the task does; told in its last message, `closed`."""

Check = Callable[[], Awaitable[bool]]
"""Whether the caller may still read the stream."""


class Streams:
    """Makes the bodies of event streams."""

    def __init__(
        self, feeds: Feeds, reader: TaskReader, sign: Sign, drain: Drain, heartbeat_seconds: float, most_seconds: float
    ) -> None:
        self._feeds = feeds
        self._reader = reader
        self._sign = sign
        self._drain = drain
        self._heartbeat = heartbeat_seconds
        self._most = most_seconds

    async def first_of_task(self, task: Object, last_id: str | None) -> tuple[list[Event], Position | None]:
        """With what a task's stream begins, for a task as it is after subscribing; and how far the reader has come."""
        name, uid = task["metadata"]["name"], task["metadata"]["uid"][:8]
        state = present(task, self._sign)
        seen = parse_event_id(last_id, uid) if last_id else None
        if seen is not None and seen > state.position and (seen.round > state.position.round or seen.rank == ENDED):
            seen = None  # nobody has told this end
        reports = await self._feeds.history(name, uid)
        if (latest := self._feeds.hub.latest(name, uid)) is not None:
            reports.append(latest)
        if seen is None:
            newest = max((each for each in reports if each.kind == "progress"), key=by_position, default=state)
            return [newest if newest.position.follows(state.position) else state], None
        # The end has its result from the resource alone; of one report the resource knows less than the stream.
        known = [event for event in reports if event.position != state.position and event.kind != "preview"]
        reported = any(each.position[:4] == state.position[:4] for each in known)
        if state.position.rank != PROGRESS or not reported:
            known.append(state)
        events: list[Event] = []
        reached = seen
        for event in sorted(known, key=by_position):
            for each in news(event, reached):
                events.append(each)
                reached = each.position
        return events, seen

    async def task(
        self, subscription: Subscription, first: Iterable[Event], seen: Position | None, allowed: Check
    ) -> AsyncIterator[bytes]:
        """A task's events until the terminal one."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        for event in first:
            seen = event.position
            yield event.for_task
            if event.terminal:
                return
        async for live in self._live(subscription, allowed):
            if isinstance(live, bytes):
                yield live
                continue
            if live.kind == "log":
                yield message(live.kind, live.data)
                continue
            for each in news(live, seen):
                seen = each.position
                yield each.for_task
                if each.terminal:
                    return

    async def first_of_project(self, project: str, last_id: str | None) -> tuple[list[Event], int]:
        """With what a project's stream begins: what came after the id, or its unfinished tasks as they are; and up to
        which resourceVersion its reader has seen everything."""
        if last_id and last_id.isascii() and last_id.isdigit() and len(last_id) < 20:
            missed = await self._feeds.since(project, int(last_id))
            if missed is not None:
                return missed, int(last_id)
        shown: list[Event] = []
        for phase in (Phase.PROCESSING, Phase.QUEUED):
            for offset in range(0, MOST_SHOWN, PAGE):
                page = await self._reader.page(project, Filter(phase), offset, PAGE)
                shown += [present(task, self._sign) for task in page.tasks]
                if offset + PAGE >= page.total:
                    break
        return sorted(shown, key=lambda event: event.version), 0

    async def project(
        self, subscription: Subscription, first: Iterable[Event], seen: int, allowed: Check
    ) -> AsyncIterator[bytes]:
        """A project's events, until something ends the stream."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        shown: dict[str, Position] = {}
        for event in first:
            shown[event.task_id] = event.position
            yield event.for_project
        async for live in self._live(subscription, allowed):
            if isinstance(live, bytes):
                yield live
                continue
            if 0 < live.version <= seen:
                continue  # on a replica that was ahead of this one
            # What the stream began with may come once more, and only that.
            if (before := shown.get(live.task_id)) is not None:
                if not live.position.follows(before):
                    continue
                del shown[live.task_id]
            yield live.for_project

    async def _live(self, subscription: Subscription, allowed: Check) -> AsyncIterator[Event | bytes]:
        """Events as they come, heartbeats between them, and the reason where the stream ends before its time."""
        began = checked = spoke = time.monotonic()
        while True:
            for event in await subscription.take(LOOK_SECONDS):
                yield event
                spoke = time.monotonic()
            now, reason = time.monotonic(), subscription.closed
            if now - checked >= CHECK_SECONDS:
                checked = now
                reason = reason or (None if await allowed() else "access_ended")
            if reason is None and self._drain.started:
                reason = "draining"
            if reason is None and now - began >= self._most:
                reason = "time_limit"
            if reason is not None:
                yield message("closed", {"reason": reason, "detail": REASONS[reason]})
                return
            if now - spoke >= self._heartbeat:
                spoke = now
                yield b": heartbeat\n\n"
