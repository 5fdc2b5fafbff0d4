"""What a follower knows of tasks, and where it learns more: from a stream of events, or by asking. No I/O."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from .errors import APIError, MediaTaskError, WaitTimeout
from .models import Task
from .rest.calls import events_path, project_events_path
from .rest.events import Event, Sign

FASTEST, SLOWEST = 0.3, 3.0
"""Seconds between two looks at tasks without a stream; longer while nothing changes."""
LAST_SECONDS = 20.0
"""This long before time is up a stream is left: its next message may be a heartbeat (15 s) away."""
SILENCE = 20.0
"""Seconds without a message after which a stream counts as lost: one that a proxy keeps back looks like that."""
LOOK_SECONDS = 15.0
"""How often all tasks are asked for beside a stream: no event tells that the queue has moved on."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds until a stream is tried again that was refused, broke or told nothing."""


class Following:
    """Tasks that are followed until all have ended.

    Events tell how a task gets on; every other change is asked for, since events have not all that a state has. A
    service without events, or without room for another stream, is asked again and again.
    """

    def __init__(
        self, task_ids: Iterable[str], timeout: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._last: dict[str, Task | None] = dict.fromkeys(task_ids)
        self._timeout = timeout
        self._clock = clock
        self._deadline = math.inf if timeout is None else clock() + timeout
        self._changed = False
        self._pause = FASTEST
        self._looked = clock()
        self._behind: set[str] = set()
        """Tasks that have ended by an event, and have not by the answer that came after it."""
        self._faults = 0
        self._stream_from = -math.inf
        """When a stream may be tried again."""

    @property
    def unfinished(self) -> list[str]:
        return [task_id for task_id, task in self._last.items() if task is None or not task.done]

    def learn(self, task_id: str, task: Task) -> bool:
        """Whether an answer of the service is news."""
        before = self._last.get(task_id)
        if task.done or (before and before.attempt != task.attempt):
            self._behind.discard(task_id)
        if task == before:
            return False
        self._last[task_id] = task
        self._changed = True
        return True

    def stream(self) -> str | None:
        """Path of the stream that tells of all unfinished tasks; None where they have to be asked for."""
        if self._clock() < self._stream_from or self.leave:
            return None
        tasks = [self._last[task_id] for task_id in self.unfinished]
        projects = {task.project_id for task in tasks if task}
        if len(tasks) == 1 and tasks[0]:
            return events_path(tasks[0].task_id)
        return project_events_path(*projects) if len(projects) == 1 else None

    @property
    def leave(self) -> bool:
        """Whether a stream has nothing more to tell, and tasks have to be asked for."""
        near_end = self._deadline - self._clock() < LAST_SECONDS
        return near_end or bool(self._behind) or not self.unfinished

    @property
    def longest_silence(self) -> float:
        """Seconds without a message after which the stream counts as lost."""
        return min(SILENCE, max(self._deadline - self._clock(), 1.0))

    def to_ask(self, sign: Event | Sign) -> list[str]:
        """Tasks whose state has to be asked for after a message of the stream."""
        if sign is Sign.OPENED:
            self._looked = self._clock()
            # What has happened before a project's stream began is not in it; a task's begins with its state.
            unfinished = self.unfinished
            return unfinished if len(unfinished) > 1 else []
        self._faults = 0
        task = self._last.get(sign.task_id) if isinstance(sign, Event) else None
        event = sign if isinstance(sign, Event) and task and not task.done and sign.status else None
        if event and event.ended:
            self._behind.add(event.task_id)
        if self._clock() - self._looked >= LOOK_SECONDS:
            self._looked = self._clock()
            return self.unfinished
        if event is None or task is None:
            return []
        known = not event.ended and (event.status, event.attempt or 0) == (task.status, task.attempt or 0)
        return [] if known else [event.task_id]

    def progress(self, sign: Event | Sign) -> Task | None:
        """The state of a task that has got on, as an event tells it."""
        task = self._last.get(sign.task_id) if isinstance(sign, Event) else None
        if task is None or task.done or not isinstance(sign, Event) or sign.kind != "progress":
            return None
        if (sign.status, sign.attempt or 0) != (task.status, task.attempt or 0):
            return None
        if sign.progress is None or sign.progress < task.progress:
            return None
        changes = {name: getattr(sign, name) for name in {"progress", "current_step"} & sign.model_fields_set}
        task = task.model_copy(update=changes)
        return task if self.learn(sign.task_id, task) else None

    def lost(self, error: MediaTaskError | None) -> None:
        """The stream has ended, or was refused."""
        if isinstance(error, APIError):
            self._stream_from = math.inf
        elif error is not None or self._faults:
            self._stream_from = self._clock() + min(FIRST_PAUSE * 2.0 ** min(self._faults, 10), LONGEST_PAUSE)
        self._faults += 1

    def pause(self) -> float:
        """Seconds until the next look.

        Raises:
            WaitTimeout: time is up.
        """
        left = self._deadline - self._clock()
        if left <= 0:
            ids = self.unfinished
            which = ids[0] if len(ids) == 1 else f"{len(ids)} tasks"
            raise WaitTimeout(
                f"{which} not finished after {self._timeout:g} s; the work continues, `mediatask watch` follows it", ids
            )
        self._pause = FASTEST if self._changed else min(self._pause * 1.25, SLOWEST)
        self._changed = False
        return min(self._pause, left)
