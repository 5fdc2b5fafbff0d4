"""When those that wait for PayloadCMS try before their own time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mediatask_operator.effects.payload import recovery
from mediatask_operator.effects.payload.recovery import Recovery


def waiting(name: str, due: str | None) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"registration": {"attempts": 6, "nextAttemptAt": due}}}


LATE, LATER = waiting("late", "2026-11-28T12:00:00.000000Z"), waiting("later", "2026-11-28T12:10:00.000000Z")
DONE, QUEUED = waiting("done", None), {"metadata": {"name": "queued"}}


class Hurried:
    """Tasks in the order in which they were told to hurry, with the pause that each was given."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, float]] = []
        self._news = asyncio.Event()

    def __call__(self, task: dict[str, Any], seconds: float) -> None:
        self.tasks.append((task["metadata"]["name"], seconds))
        self._news.set()

    async def more(self) -> list[str]:
        """Names that came since the last time."""
        await asyncio.wait_for(self._news.wait(), 5)
        self._news.clear()
        found, self.tasks = [name for name, _ in self.tasks], []
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(recovery, "SETTLE_SECONDS", 0.02)


async def test_while_it_is_away_the_one_that_is_due_first_looks_again_and_again() -> None:
    hurried = Hurried()
    watched = Recovery(lambda: [LATER, DONE, LATE, QUEUED], hurried)
    watched.start()
    assert await hurried.more() == ["late"]
    watched.tell(False)
    assert await hurried.more() == ["late"]
    watched.close()


async def test_once_it_is_back_all_that_wait_come_within_a_time_that_grows_with_their_number() -> None:
    many, hurried = [waiting(f"task-{number}", "2026-11-28T12:00:00.000000Z") for number in range(200)], Hurried()
    watched = Recovery(lambda: [*many, DONE, QUEUED], hurried)
    watched.tell(True)
    await asyncio.wait_for(hurried._news.wait(), 5)
    pauses = [seconds for _, seconds in hurried.tasks]
    assert sorted(name for name, _ in hurried.tasks) == sorted(task["metadata"]["name"] for task in many)
    assert max(pauses) <= 200 * recovery.SPREAD_SECONDS
    assert max(pauses) - min(pauses) > 100 * recovery.SPREAD_SECONDS, "not all at once"


async def test_a_success_between_failures_releases_nobody() -> None:
    hurried = Hurried()
    watched = Recovery(lambda: [LATER, LATE], hurried)
    for _ in range(3):
        watched.tell(True)
        watched.tell(False)
    assert await hurried.more() == ["late"], "one goes to look"
    watched.close()


async def test_nobody_goes_to_look_before_the_time_that_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, delays = asyncio.get_running_loop(), []
    monkeypatch.setattr(loop, "call_later", lambda delay, *_: delays.append(delay) or asyncio.Handle(print, (), loop))
    watched = Recovery(lambda: [LATE], Hurried())
    watched.wait(90)
    watched.wait(float("inf"))
    watched.tell(True)
    watched.wait(90)
    assert delays == [90, 3600, recovery.SETTLE_SECONDS]
