"""What feeds the hub beside the reports that reach this process: a watch of the tasks, and Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial

from mediatask_common.eventpositions import ENDED, QUEUED, Position
from mediatask_common.kube import TASKS, Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.redisview import RedisView, slim
from mediatask_common.redisview.view import Entry
from mediatask_crds.task import Phase

from ..http.errors import kubernetes_away
from ..tasks.reading.reader import TaskReader
from ..tasks.reading.redis_reader import RedisReader
from .event import Event, by_position, from_stream, news, position_of, present
from .hub import KEPT, Hub

log = get_logger(__name__)

SILENCE_SECONDS = 150.0
"""The API server sends a bookmark about every minute: a watch that is silent for longer has died unnoticed."""
MOST_PAUSE_SECONDS = 5.0
READY_SECONDS = 15.0
"""Longest wait of the first reader for the watch to begin."""
BLOCK_SECONDS = 0.2
"""How long one reading of Redis waits for reports; a project that somebody begins to follow joins with the next."""
OVERLAP_SECONDS = 5.0
"""Reports from before a project is followed that are read again, so that none falls between."""
AGAIN_SECONDS = 1.0
QUIET_SECONDS = 1.5
"""The API server tells what it keeps of the past at once: after such a pause there is no more of it."""
BEHIND_SECONDS = 5.0
"""How long a reader waits who has seen more on another replica than this one knows yet."""


class Feeds:
    """Runs from the first reader on: who never follows anything costs the API server nothing."""

    def __init__(self, hub: Hub, kube: Kube, reader: TaskReader, redis: RedisReader, namespace: str) -> None:
        self.hub = hub
        self._kube = kube
        self._reader = reader
        self._redis = redis
        self._namespace = namespace
        self._tasks: list[asyncio.Task[None]] = []
        self._began = asyncio.Event()
        self._moved = asyncio.Event()

    async def ready(self) -> None:
        """Return once the hub learns of every change. Raises ApiError (503) where Kubernetes does not answer."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch())]
            if self._redis.configured:
                self._tasks.append(asyncio.create_task(self._tail()))
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._began.wait()
        except TimeoutError:
            raise kubernetes_away("try again") from None

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def history(self, task_id: str, uid: str) -> list[Event]:
        """What Redis keeps of a task's events, in order."""

        async def read(view: RedisView) -> list[Event]:
            found = [from_stream(task_id, kind, data) async for _, kind, data in view.events(task_id)]
            return [event for event in found if event is not None and event.uid == uid]

        return sorted(await self._redis.recall(read) or [], key=by_position)

    async def since(self, project: str, version: int) -> list[Event] | None:
        """A project's events after a resourceVersion; None where nobody knows all of them any more.

        What was before this process began to watch, the API server tells: it keeps the changes of some minutes.
        """
        await self._reach(version)
        kept = self.hub.kept_after(project, version)
        if kept is not None or not 0 < version <= self.hub.version:
            return kept
        events: list[Event] = []
        reached: dict[str, Position] = {}
        try:
            async with aclosing(self._history(project, version)) as changes:
                async for task in changes:
                    event = present(task, self.hub.sign)
                    for each in news(event, reached.get(event.task_id)):
                        events.append(each.without_ending())
                        reached[event.task_id] = each.position
                    if len(events) > KEPT:
                        return None
        except KubeError as error:
            log.info("changes are not known any more", since=version, error=str(error))
            return None
        return events

    async def _history(self, project: str, version: int) -> AsyncGenerator[Object, None]:
        """A project's tasks at each change after a version, until nothing has come for a while: all that was."""
        changes = self._kube.watch(
            TASKS, self._namespace, str(version), fieldSelector=f"spec.projectId={project}", timeoutSeconds="5"
        )
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    found = await anext(changes, None)
                if found is None:
                    return
                kind, task = found
                if kind in ("ADDED", "MODIFIED"):
                    yield task

    async def _reach(self, version: int) -> None:
        """Wait a moment until this process has seen what another one has told."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BEHIND_SECONDS):
                while self.hub.version < version:
                    self._moved.clear()
                    await self._moved.wait()

    # ---- Kubernetes

    async def _watch(self) -> None:
        pause, version = 0.1, ""
        while True:
            try:
                if not version:
                    version = await self._begin()
                async for kind, task in self._kube.watch(TASKS, self._namespace, version, silence=SILENCE_SECONDS):
                    version, pause = task["metadata"]["resourceVersion"], 0.1
                    if kind != "BOOKMARK":
                        await self._news(kind, task)
                    self.hub.version = int(version)
                    self._moved.set()
            except KubeError as error:
                if error.status != 0 or pause > 0.1:
                    version = ""  # more than a lost connection: begin anew
                log.info("watch of tasks ended", error=str(error), again_in=pause)
            except (KeyError, TypeError, ValueError) as error:
                version = ""
                log.error("a task that cannot be read", error=repr(error)[:500])
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, MOST_PAUSE_SECONDS)

    async def _begin(self) -> str:
        selector = ",".join(f"status.phase!={phase}" for phase in Phase if phase.terminal)
        version = ""
        found: list[Object] = []
        async for page in self._kube.pages(TASKS, self._namespace, fieldSelector=selector):
            version = version or page["metadata"]["resourceVersion"]
            found += [slim(task) for task in page["items"]]
        for name, _ in self.hub.begin(found, int(version)):
            task = await self._reader.get_true(name)
            if task is None:
                self.hub.gone(name)
            else:
                self.hub.ended(task)
        self._began.set()
        return version

    async def _news(self, kind: str, task: Object) -> None:
        meta, project = task["metadata"], task["spec"]["projectId"]
        if kind == "DELETED":
            self.hub.gone(meta["name"])
            return
        rank = position_of(task).rank
        if rank in (QUEUED, ENDED) and self.hub.by_redis:
            # What the job reported last comes before the end of its attempt, however late Redis tells it.
            await self._catch_up(meta["name"], meta["uid"][:8], project)
        if rank == ENDED and self.hub.followed(meta["name"], project):
            # Who hears of the end and asks for the result gets it, though the operator may write the view later.
            await self._reader.note(task)
        self.hub.see(task, new=kind == "ADDED")

    # ---- Redis

    async def _catch_up(self, task_id: str, uid: str, project: str) -> None:
        if self.hub.followed(task_id, project) and self.hub.reached(task_id, uid) is not None:
            for event in await self.history(task_id, uid):
                if event.kind == "progress":
                    self.hub.report(event, kept=True)

    async def _tail(self) -> None:
        after: dict[str, str] = {}
        while True:
            followed = self.hub.projects()
            after = {project: entry for project, entry in after.items() if project in followed}
            if new := followed - after.keys():
                start = await self._redis.recall(lambda view: view.before_now(OVERLAP_SECONDS))
                after |= dict.fromkeys(new, start) if start else {}
            if not followed:
                await asyncio.sleep(BLOCK_SECONDS)
                continue
            found = await self._redis.recall(partial(_reports_after, after)) if after else None
            self.hub.by_redis = found is not None
            if found is None:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for project, entry, task_id, kind, data in found:
                after[project] = entry
                if (event := from_stream(task_id, kind, data)) is not None and event.project == project:
                    await self._reported(event)

    async def _reported(self, event: Event) -> None:
        if event.kind == "preview":
            if not self.hub.wants_preview(event.task_id):
                return
            image = await self._redis.recall(lambda view: view.preview(event.task_id))
            if not image:
                return
            event.data["image"] = image.decode("ascii", "replace")
        self.hub.report(event, kept=True)


async def _reports_after(after: dict[str, str], view: RedisView) -> list[Entry]:
    return await view.reports(after, BLOCK_SECONDS)
