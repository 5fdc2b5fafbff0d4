"""Where an event stands in the life of its task: derived from what it tells, so that every process finds the same.

An event of a task has no number that somebody would have to hand out. Its position follows from the round of attempts,
the attempt, the kind of event and how far the attempt was; whoever learns of the same change, from the resource, from
Redis or from the job itself, gives it the same position.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mediatask_crds.task import Phase

QUEUED, STARTED, PROGRESS, ENDED = range(4)
_ID = re.compile(r"([0-9a-f-]{8})\.(\d{1,9})\.(\d{1,9})\.([0-3])\.(\d{1,4})\.(\d{1,16})", re.ASCII)


class Position(NamedTuple):
    """Compares as the events of one task follow each other."""

    round: int
    """Of attempts: 0, and one more with each retry that a user asks for."""
    attempt: int
    """The attempt that it belongs to or waits for; the end of a round comes after its last one."""
    rank: int
    permille: int = 0
    """Progress in thousandths."""
    sequence: int = 0
    """Orders reports of equal progress; 0 where only the resource is known, which does not have each report."""

    def follows(self, other: Position | None) -> bool:
        """Whether it tells something new to whoever has seen the other one."""
        if other is None:
            return True
        if self[:4] != other[:4]:
            return self > other
        # At equal progress only two reports can be told apart.
        return bool(self.sequence and other.sequence and self.sequence > other.sequence)

    def beginning(self) -> Position:
        """The start of the attempt."""
        return Position(self.round, self.attempt, STARTED)

    def event_id(self, uid: str) -> str:
        """The id of the event in streams of the task with this uid."""
        return ".".join([uid[:8], *map(str, self)])


def parse_event_id(text: str, uid: str) -> Position | None:
    """The position of an event id; None for what is no id of this very task."""
    found = _ID.fullmatch(text)
    if found is None or found[1] != uid[:8]:
        return None
    return Position(*map(int, found.groups()[1:]))


def of_phase(phase: Phase, round: int, attempt: int, *, attempt_open: bool = False, progress: float = 0.0) -> Position:
    """The position of a task's state.

    Args:
        attempt: the current attempt, or the last one; 0 before the first.
        attempt_open: whether its end is not recorded yet.
        progress: 0 to 1.
    """
    if phase.terminal:
        return Position(round, attempt + 1, ENDED)
    if phase is Phase.QUEUED:
        return Position(round, attempt if attempt_open and attempt else attempt + 1, QUEUED)
    permille = round_permille(progress)
    return Position(round, attempt, PROGRESS if permille else STARTED, permille)


def round_permille(progress: float) -> int:
    """Progress 0..1 in thousandths."""
    return min(max(int(progress * 1000 + 0.5), 0), 1000)


def attempt_open(status: dict[str, Any]) -> bool:
    """Whether the end of the current attempt is not recorded yet."""
    attempts = status.get("attempts") or []
    return bool(attempts) and not attempts[-1].get("endedAt")
