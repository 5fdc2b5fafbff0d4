"""Whose turn it is: per class, at most `maxInFlight` Jobs, given by priority, then by age. Pure.

The Job controller starts only a few Jobs a second, and thousands of pending pods slow the scheduler down, so tasks
wait here rather than as Jobs.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from ..objects import Key
from .observation import Rank, Turn
from .plan import Slot

_NEW_WEIGHT = 0.2
"""Weight of the latest run in the mean duration of a class's runs."""


@dataclass
class _Line:
    """The queue of one class."""

    holding: set[Key] = field(default_factory=set)
    waiting: list[Rank] = field(default_factory=list)
    mean_seconds: float | None = None


class AdmissionQueue:
    """Slots and waiting tasks of every class."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._place: dict[Key, tuple[str, Rank]] = {}

    def turn(self, key: Key, class_name: str, rank: Rank, slots: int, typical_seconds: float) -> Turn:
        """Take a place in the class's queue, and a slot when one is free for this place.

        Args:
            slots: the class's limit.
            typical_seconds: expected duration of a run while none of the class was measured.
        """
        if self._place.get(key) != (class_name, rank):
            self.leave(key)
            self._place[key] = (class_name, rank)
        line = self._lines.setdefault(class_name, _Line())
        if key in line.holding:
            return Turn(admitted=True)
        index = bisect.bisect_left(line.waiting, rank)
        if index == len(line.waiting) or line.waiting[index] != rank:
            line.waiting.insert(index, rank)
        if index < slots - len(line.holding):
            line.waiting.pop(index)
            line.holding.add(key)
            return Turn(admitted=True)
        mean = line.mean_seconds if line.mean_seconds is not None else typical_seconds
        # `slots` runs end every `mean` seconds, spread evenly.
        return Turn(admitted=False, position=index + 1, wait_seconds=round(mean * (index + 1) / slots))

    def settle(self, key: Key, class_name: str, rank: Rank, slot: Slot) -> bool:
        """Take note of what the task wants after a pass; True when a slot has become free by it."""
        if slot is Slot.HOLD:
            line = self._lines.setdefault(class_name, _Line())
            if key not in line.holding:
                self.leave(key)
                self._place[key] = (class_name, rank)
                line.holding.add(key)
            return False
        if slot is Slot.WAIT:
            return False
        return self.leave(key)

    def leave(self, key: Key) -> bool:
        """Forget a task; True when it held a slot."""
        class_name, rank = self._place.pop(key, (None, None))
        if class_name is None or rank is None:
            return False
        line = self._lines[class_name]
        if key in line.holding:
            line.holding.discard(key)
            return True
        index = bisect.bisect_left(line.waiting, rank)
        if index < len(line.waiting) and line.waiting[index] == rank:
            line.waiting.pop(index)
        return False

    def next_up(self, class_name: str, slots: int) -> list[Key]:
        """The waiting tasks for which there is a free slot now."""
        line = self._lines.get(class_name)
        if line is None:
            return []
        free = max(slots - len(line.holding), 0)
        return [rank[2] for rank in line.waiting[:free]]

    def class_of(self, key: Key) -> str | None:
        """The class whose queue the task stands in."""
        place = self._place.get(key)
        return place[0] if place else None

    def measured(self, class_name: str, seconds: float) -> None:
        """A run of the class took this long."""
        line = self._lines.setdefault(class_name, _Line())
        before = line.mean_seconds if line.mean_seconds is not None else seconds
        line.mean_seconds = before + _NEW_WEIGHT * (seconds - before)

    def depths(self) -> dict[str, tuple[int, int]]:
        """Waiting and holding tasks by class."""
        return {name: (len(line.waiting), len(line.holding)) for name, line in self._lines.items()}
