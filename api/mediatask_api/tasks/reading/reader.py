"""Reading tasks: from the Redis view while it is current, else from Kubernetes; both give the same answer."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import orjson

from mediatask_common.kube import TASKS, Kube, KubeError, Object
from mediatask_common.redisview import ALL_PROJECTS, scheduled, slim
from mediatask_common.usage import Kind, Used, add, charged_seconds
from mediatask_crds.task import Phase
from mediatask_crds.tasktypes import task_types

from ...batched import Batched
from ...single_flight import SingleFlight
from ...ttlcache import TtlCache
from ..resource import held_condition
from .cursor import Cursor
from .redis_reader import RedisReader

Counts = dict[tuple[str, str], int]
"""Tasks by (phase, type)."""


SAMPLE = 20
"""Tasks that speak for others where nothing was measured."""


@dataclass(frozen=True)
class Filter:
    """Which tasks of a project are wanted; all where nothing is said."""

    phase: Phase | None = None
    task_type: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Listed:
    """Some of the tasks that were asked for, newest first."""

    tasks: list[Object]
    total: int
    offset: int
    """How many come before them."""


class TaskReader:
    """Tasks of one namespace. Every method raises KubeError when Kubernetes is needed and does not answer."""

    def __init__(self, kube: Kube, view: RedisReader, namespace: str) -> None:
        self._kube = kube
        self._view = view
        self._namespace = namespace
        # Listing is what Redis spares us; without it, a burst of submits shares one list.
        self._backlogs: TtlCache[Counter[int]] = TtlCache(2)
        self._counts: TtlCache[Counts] = TtlCache(5)
        self._usage: TtlCache[dict[Kind, Used]] = TtlCache(30, size=256)
        self._held: TtlCache[list[Object]] = TtlCache(1)
        self._lists: SingleFlight[list[Object]] = SingleFlight()
        self._known: Batched[str, Object | None] = Batched(self._from_view)
        self._searching = asyncio.Lock()
        """Whole tasks are large: nobody makes many of them be read at a time."""

    async def get(self, name: str) -> Object | None:
        """A task without its data, perhaps a moment old; None when there is none."""
        # A task that is not in the view may be too new for it.
        return await self._known.get(name) or await self.get_true(name)

    async def _from_view(self, names: Sequence[str]) -> Sequence[Object | None]:
        return await self._view.ask(lambda view: view.get_many(names)) or [None] * len(names)

    async def get_true(self, name: str) -> Object | None:
        """A task as it is now."""
        try:
            return await self._kube.get(TASKS, name, self._namespace)
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def note(self, task: Object) -> None:
        """Let the next readers see what was just written."""
        await self._view.tell(lambda view: view.put(task))

    async def note_new(self, task: Object) -> None:
        """The same for a task that was just created."""
        await self.note(task)
        backlog = self._backlogs.kept(task["spec"]["taskType"])
        if backlog is not None and not scheduled(task):
            backlog[task["spec"].get("priority", 5)] += 1

    async def page(self, project: str, wanted: Filter, start: int | Cursor, limit: int) -> Listed:
        """Some of a project's tasks: after so many others, or after the task that a cursor names."""
        place = start if isinstance(start, int) else (start.score, start.name)
        listed = await self._view.ask(
            lambda view: view.list(
                project, phase=wanted.phase, task_type=wanted.task_type, tag=wanted.tag, start=place, limit=limit
            )
        )
        if listed is not None:
            return Listed(*listed)
        tasks = await self._lists.get((project, wanted), lambda: self._list(project, wanted))
        last = len(tasks)
        offset = start if isinstance(start, int) else last - bisect_left(tasks[::-1], start, key=Cursor.of)
        return Listed(tasks[offset : offset + limit], last, offset)

    async def _list(self, project: str, wanted: Filter) -> list[Object]:
        found = self._select(project, wanted.phase, wanted.task_type)
        tasks = [
            slim(task) async for task in found if wanted.tag is None or wanted.tag in (task["spec"].get("tags") or ())
        ]
        # By time and, within a second, by name, as the view's sorted sets do.
        tasks.sort(key=Cursor.of, reverse=True)
        return tasks

    async def queued(self, task_type: str, priority: int) -> int:
        """How many tasks of the type wait that are at least as urgent."""
        known = await self._view.ask(lambda view: view.queued(task_type, priority))
        if known is not None:
            return known
        backlog = await self._backlogs.get(task_type, lambda: self._backlog(task_type))
        return sum(count for urgency, count in backlog.items() if urgency <= priority)

    async def durations(self, task_type: str) -> Sequence[float]:
        """Seconds that the last completed tasks of a type ran; none without Redis: only a full list could tell."""
        return await self._view.ask(lambda view: view.durations(task_type)) or ()

    async def ran(self, task_type: str, class_name: str) -> Sequence[float]:
        """Seconds that some completed tasks of a type and class ran, as far as they are charged.

        The last ones from Redis; without it those of one short page of them, which names in no order make a sample.
        """
        known = await self._view.ask(lambda view: view.ran(task_type, class_name))
        if known is not None:
            return known
        selector = field_selector(None, Phase.COMPLETED, task_type)
        page = await self._kube.list(TASKS, self._namespace, limit=str(SAMPLE), fieldSelector=selector)
        return [charged_seconds(task) for task in page["items"] if task["status"].get("className") == class_name]

    async def counts(self, projects: Iterable[str] | None) -> Counts:
        """Tasks by phase and type, in some projects or in all (None)."""
        totals: Counter[tuple[str, str]] = Counter()
        for scope in {ALL_PROJECTS} if projects is None else set(projects):
            totals.update(await self._counts_of(scope))
        return {key: count for key, count in totals.items() if count}

    async def _counts_of(self, scope: str) -> Counts:
        known = await self._view.ask(lambda view: view.counts(scope, list(Phase), task_types()))
        return known if known is not None else await self._counts.get(scope, lambda: self._count(scope))

    async def usage(self, project: str, days: Sequence[str]) -> dict[Kind, Used]:
        """What a project's tasks that ended on these days have used."""
        known = await self._view.ask(lambda view: view.usage(project, days))
        if known is not None:
            return known
        found = await self._usage.get(project, lambda: self._used(project))
        wanted = set(days)
        return {kind: amount for kind, amount in found.items() if kind.day in wanted}

    async def _used(self, project: str) -> dict[Kind, Used]:
        totals: dict[Kind, Used] = {}
        async for task in self._select(project, None, None):
            add(totals, task)
        return totals

    async def _backlog(self, task_type: str) -> Counter[int]:
        found = self._select(None, Phase.QUEUED, task_type)
        return Counter([task["spec"].get("priority", 5) async for task in found if not scheduled(task)])

    async def _count(self, scope: str) -> Counts:
        counted: Counter[tuple[str, str]] = Counter()
        async for task in self._select(None if scope == ALL_PROJECTS else scope, None, None):
            phase = (task.get("status") or {}).get("phase") or Phase.QUEUED
            counted[phase, task["spec"]["taskType"]] += 1
        return counted

    async def unfinished_naming(self, project: str, text: str) -> str:
        """A task of the project that has not ended and whose data has just this value somewhere; "" where none has."""
        wanted = orjson.dumps(text)
        selector = ",".join([f"spec.projectId={project}", *(f"status.phase!={end}" for end in Phase if end.terminal)])
        async with self._searching:
            async for task in self._kube.list_all(TASKS, self._namespace, page=50, fieldSelector=selector):
                if wanted in orjson.dumps(task["spec"].get("taskData")):
                    return str(task["metadata"]["name"])
        return ""

    async def held(self) -> list[Object]:
        """The tasks whose media waits for a review, without their data, the longest first; perhaps a moment old."""
        return await self._held.get("all", self._list_held)

    async def _list_held(self) -> list[Object]:
        found = []
        async with self._searching:
            selector = field_selector(None, Phase.PROCESSING, None)
            async for task in self._kube.list_all(TASKS, self._namespace, page=50, fieldSelector=selector):
                condition = held_condition(task)
                if condition is not None:
                    found.append((condition["lastTransitionTime"], task["metadata"]["name"], slim(task)))
        return [task for _, _, task in sorted(found, key=lambda one: one[:2])]

    def _select(self, project: str | None, phase: Phase | None, task_type: str | None) -> AsyncIterator[Object]:
        selector = field_selector(project, phase, task_type)
        return self._kube.list_all(TASKS, self._namespace, fieldSelector=selector)


def field_selector(project: str | None, phase: Phase | None, task_type: str | None) -> str:
    """The API server's selector for these tasks.

    A new task has no phase yet, which counts as queued: so `queued` is asked for as `none of the others`.
    """
    terms = [f"spec.projectId={project}"] if project else []
    terms += [f"spec.taskType={task_type}"] if task_type else []
    if phase is Phase.QUEUED:
        terms += [f"status.phase!={other}" for other in Phase if other is not Phase.QUEUED]
    elif phase is not None:
        terms.append(f"status.phase={phase}")
    return ",".join(terms)
