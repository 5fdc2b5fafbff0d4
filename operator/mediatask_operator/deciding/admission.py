"""Whose turn it is: per class, at most `maxInFlight` Jobs, given by priority, then by age. Pure.

The Job controller starts only a few Jobs a second, and thousands of pending pods slow the scheduler down, so tasks
wait here rather than as Jobs.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from datetime import datetime

from ..objects import Key
from .observation import Rank, Turn
from .plan import Slot
from .tuning import ADMISSION


@dataclass
class _Line:
    """The queue of one class."""

    holding: set[Key] = field(default_factory=set)
    waiting: list[Rank] = field(default_factory=list)
    mean_seconds: float | None = None
    held_back: dict[str, datetime] = field(default_factory=dict)
    """Namespaces in which Jobs of the class are refused, and until when none is to be tried."""

    def eligible(self, now: datetime) -> list[Rank]:
        """The waiting tasks that may be given a slot."""
        held = {namespace for namespace, until in self.held_back.items() if now < until}
        return [rank for rank in self.waiting if rank[2][0] not in held] if held else self.waiting

    def enter(self, rank: Rank) -> None:
        """Let a task wait, in its place."""
        index = bisect.bisect_left(self.waiting, rank)
        if index == len(self.waiting) or self.waiting[index] != rank:
            self.waiting.insert(index, rank)

    def leave(self, rank: Rank) -> None:
        """Let a task wait no longer."""
        index = bisect.bisect_left(self.waiting, rank)
        if index < len(self.waiting) and self.waiting[index] == rank:
            self.waiting.pop(index)


class AdmissionQueue:
    """Slots and waiting tasks of every class."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._place: dict[Key, tuple[str, Rank]] = {}

    def offer(self, key: Key, class_name: str, rank: Rank) -> None:
        """Let the task wait for a slot of the class, without giving it one yet."""
        if self._place.get(key) != (class_name, rank):
            self.leave(key)
            self._place[key] = (class_name, rank)
        line = self._line(class_name)
        if key not in line.holding:
            line.enter(rank)

    def turn(
        self,
        key: Key,
        class_name: str,
        rank: Rank,
        slots: int,
        typical_seconds: float,
        now: datetime,
        *,
        retries: bool = False,
    ) -> Turn:
        """Take a place in the class's queue, and a slot when one is free for this place.

        Args:
            slots: the class's limit.
            typical_seconds: expected duration of a run while none of the class was measured.
            retries: whether the task's own Job was refused and is to be tried again: such tasks find out when others
                need to be held back no longer.
        """
        self.offer(key, class_name, rank)
        line = self._line(class_name)
        if key in line.holding:
            return Turn(admitted=True)
        free = max(slots - len(line.holding), 0)
        eligible = line.waiting if retries else line.eligible(now)
        if free and rank in eligible[:free]:
            line.leave(rank)
            line.holding.add(key)
            return Turn(admitted=True)
        mean = line.mean_seconds if line.mean_seconds is not None else typical_seconds
        position = bisect.bisect_left(line.waiting, rank) + 1
        # `slots` runs end every `mean` seconds, spread evenly.
        return Turn(admitted=False, position=position, wait_seconds=round(mean * position / slots))

    def settle(self, key: Key, class_name: str, rank: Rank, slot: Slot) -> None:
        """Take note of what the task wants after a pass."""
        if slot is Slot.NONE:
            self.leave(key)
            return
        line = self._line(class_name)
        if slot is Slot.HOLD and key not in line.holding:
            self.leave(key)
            self._place[key] = (class_name, rank)
            line.holding.add(key)
        elif slot is Slot.WAIT:
            line.holding.discard(key)
            self.offer(key, class_name, rank)

    def leave(self, key: Key) -> None:
        """Forget a task."""
        class_name, rank = self._place.pop(key, (None, None))
        if class_name is not None and rank is not None:
            self._lines[class_name].holding.discard(key)
            self._lines[class_name].leave(rank)

    def next_up(self, class_name: str, slots: int, now: datetime) -> list[Key]:
        """The waiting tasks for which there is a free slot now."""
        line = self._line(class_name)
        free = max(slots - len(line.holding), 0)
        return [rank[2] for rank in line.eligible(now)[:free]] if free else []

    def hold_back(self, class_name: str, namespace: str, until: datetime, now: datetime) -> None:
        """Jobs of the class are refused in the namespace: its tasks keep their places, and none gets a slot."""
        held = self._line(class_name).held_back
        if held.get(namespace, now) <= now:
            held[namespace] = until

    def lift(self, class_name: str, namespace: str) -> bool:
        """A Job of the class was created in the namespace; whether its tasks were held back before."""
        return self._line(class_name).held_back.pop(namespace, None) is not None

    def class_of(self, key: Key) -> str | None:
        """The class whose queue the task stands in."""
        place = self._place.get(key)
        return place[0] if place else None

    def measured(self, class_name: str, seconds: float) -> None:
        """A run of the class took this long."""
        line = self._line(class_name)
        before = line.mean_seconds if line.mean_seconds is not None else seconds
        line.mean_seconds = before + ADMISSION.weight_of_last_run * (seconds - before)

    def expected_seconds(self, class_name: str, typical_seconds: float) -> float:
        """How long a run of the class takes; as long as is typical while none was measured."""
        mean = self._line(class_name).mean_seconds
        return typical_seconds if mean is None else mean

    def depths(self) -> dict[str, tuple[int, int]]:
        """Waiting and holding tasks by class."""
        return {name: (len(line.waiting), len(line.holding)) for name, line in self._lines.items()}

    def _line(self, class_name: str) -> _Line:
        return self._lines.setdefault(class_name, _Line())
