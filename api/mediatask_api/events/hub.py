"""The hub: takes news from all feeds, drops what is known already, and hands the rest to whoever subscribes.

News of one change may come more than once and from several sides. Positions tell: for each task that has not ended the
hub knows how far its events have come, and only what follows is passed on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mediatask_common.eventpositions import PROGRESS, QUEUED, Position
from mediatask_common.kube import Object

from ..tasks.resource import Sign, phase_of
from .event import Event, beginning, news, position_of, present
from .subscription import Subscription

KEPT = 2000
"""Events from resources that are kept for project streams that resume."""


@dataclass
class _Known:
    uid: str
    project: str
    position: Position
    state: Position
    """The last one that a resource gave, without its progress."""
    version: int
    """Its resourceVersion."""
    latest: Event | None = None
    """The last report, while Redis does not keep it."""


class Hub:
    """The events of one namespace in one process."""

    def __init__(self, sign: Sign, *, by_redis: bool = False) -> None:
        self.sign = sign
        self._tasks: dict[str, set[Subscription]] = defaultdict(set)
        self._projects: dict[str, set[Subscription]] = defaultdict(set)
        self._known: dict[str, _Known] = {}
        self.version = 0
        """resourceVersion up to which the hub has seen the namespace."""
        self._kept: deque[Event] = deque()
        self._kept_since = 0
        """resourceVersion after which all events from resources are kept."""
        self.by_redis = by_redis
        """Whether reports come from Redis, every one and in order; what the resource says of progress is left out."""

    # ---- subscribers

    @contextmanager
    def subscribe(self, project: str, task_id: str | None = None, *, previews: bool = False) -> Iterator[Subscription]:
        """All events from now on."""
        subscription = Subscription(project, task_id, previews=previews)
        by, key = (self._projects, project) if task_id is None else (self._tasks, task_id)
        by[key].add(subscription)
        try:
            yield subscription
        finally:
            by[key].discard(subscription)
            if not by[key]:
                del by[key]

    def projects(self) -> set[str]:
        """The projects that somebody follows, as a whole or a task of theirs."""
        return {*self._projects, *(each.project for found in self._tasks.values() for each in found)}

    def followed(self, task_id: str, project: str) -> bool:
        """Whether anybody follows a task or its project."""
        return task_id in self._tasks or project in self._projects

    def wants_preview(self, task_id: str) -> bool:
        """Whether anybody wants to see previews of a task."""
        return any(subscription.previews for subscription in self._tasks.get(task_id, ()))

    def latest(self, task_id: str, uid: str) -> Event | None:
        """The last report of a task that came to this process alone."""
        known = self._known.get(task_id)
        return known.latest if known is not None and known.uid == uid else None

    def reached(self, task_id: str, uid: str) -> Position | None:
        """How far the events of an unfinished task have come."""
        known = self._known.get(task_id)
        return known.position if known is not None and known.uid == uid else None

    def has_newer(self, task: Object) -> bool:
        """Whether more may have been passed on of a task than this version of it tells."""
        known = self._known.get(task["metadata"]["name"])
        if known is None or known.uid != task["metadata"]["uid"][:8]:
            return True  # it has ended, or is too new
        return known.version > int(task["metadata"]["resourceVersion"])

    def kept_after(self, project: str, version: int) -> list[Event] | None:
        """A project's events from resources after a version; None where some are no longer known."""
        if not self._kept_since <= version <= self.version:
            return None
        return [event for event in self._kept if event.version > version and event.project == project]

    # ---- feeds

    def begin(self, unfinished: list[Object], version: int) -> list[tuple[str, str]]:
        """The state when the watch begins anew. Ids and projects of followed tasks that are gone from it are returned.

        What happened since an earlier watch was cut off is told as far as the state shows it.
        """
        before, names = self._known, {task["metadata"]["name"] for task in unfinished}
        self._known = {name: known for name, known in before.items() if name in names}
        first = self._kept_since == 0
        self._kept.clear()
        self.version = self._kept_since = version
        for task in unfinished:
            self.see(task, silent=first)
        return [
            (name, known.project)
            for name, known in before.items()
            if name not in names and self.followed(name, known.project)
        ]

    def see(self, task: Object, *, new: bool = False, silent: bool = False) -> None:
        """A version of a task.

        Args:
            new: it has just been created.
            silent: it is the state that is known already, not news.
        """
        meta, project = task["metadata"], task["spec"]["projectId"]
        name, uid, version = meta["name"], meta["uid"][:8], int(meta["resourceVersion"])
        known = self._known.get(name)
        known = known if known is not None and known.uid == uid else None
        position = position_of(task)
        if phase_of(task).terminal:
            self._known.pop(name, None)
            # A finished task that is not known had ended before, and something else about it has changed.
            if known is not None or new:
                self._tell(present(task, self.sign), known)
            return
        event, state = present(task, self.sign), position
        if position.rank == PROGRESS:
            state = position.beginning()
            if self.by_redis:
                event, position = beginning(event), state
        if known is not None and not position.follows(known.position):
            known.version = version
            if state.follows(known.state):
                known.state = state
                # A report has told it already, but without a version for those who come again, and before some who
                # follow the project now came.
                again = event if state.rank == QUEUED else beginning(event)
                self._keep(again)
                self._offer(again, self._projects.get(project, ()))
            return
        self._known[name] = _Known(uid, project, position, state, version)
        if not silent:
            self._tell(event, known)

    def ended(self, task: Object) -> None:
        """The end of a followed task, which was missed while there was no watch."""
        event = present(task, self.sign)
        self._pass_on(event)
        self._keep(event)

    def gone(self, task_id: str) -> None:
        """A task was deleted."""
        self._known.pop(task_id, None)
        for subscription in self._tasks.get(task_id, ()):
            subscription.close("deleted")

    def report(self, event: Event, *, kept: bool) -> None:
        """A report of a job.

        Args:
            kept: Redis has it, too, for those who come later.
        """
        known = self._known.get(event.task_id)
        if known is None or known.uid != event.uid:
            return  # it has ended, or is too new for anybody to follow it
        for each in news(event, known.position):
            known.position = each.position
            known.latest = None if kept or each.kind == "preview" else each
            self._pass_on(each)

    # ---- passing on

    def _tell(self, event: Event, known: _Known | None) -> None:
        for each in news(event, known.position if known is not None else None):
            if each.version:
                self._keep(each)
            self._pass_on(each)

    def _keep(self, event: Event) -> None:
        self._kept.append(event.without_ending())
        if len(self._kept) > KEPT:
            self._kept_since = self._kept.popleft().version

    def _pass_on(self, event: Event) -> None:
        self._offer(event, self._tasks.get(event.task_id, ()))
        self._offer(event, self._projects.get(event.project, ()))

    @staticmethod
    def _offer(event: Event, subscriptions: Iterable[Subscription]) -> None:
        for subscription in subscriptions:
            subscription.offer(event)
