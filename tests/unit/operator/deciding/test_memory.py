"""Results in the Brain: what is stored, that nothing waits for it, and when it is tried again."""

from __future__ import annotations

from typing import Any

from mediatask_operator.deciding.memory import MemoryPolicy
from mediatask_operator.deciding.observation import Memory
from mediatask_operator.deciding.plan import TellBrain
from mediatask_operator.deciding.reasons import Reason
from support.taskworld import LAST_WORDS, World, a_class, a_task, failing, run_pod


def completed(policy: MemoryPolicy | None = MemoryPolicy(), brain: Any = None, **spec: Any) -> World:
    classes = {"image": a_class(**({} if brain is None else {"brain": brain}))}
    world = World(task=a_task(**spec), classes=classes, remembering=policy)
    world.end(run_pod(world), 0, message=LAST_WORDS, reason="Completed")
    world.settle()
    return world


def tried(world: World, **outcome: Any) -> None:
    world.memory = Memory(world.stored[-1].number, **outcome)
    world.settle()


def test_a_completed_task_is_stored_and_nothing_waits_for_it() -> None:
    world = completed(brain={}, callback={"url": "https://app.example/hook"})
    assert world.phase == "completed"
    assert world.webhooks
    assert world.stored[-1] == TellBrain(1)
    assert world.condition("Remembered")["reason"] == Reason.MEMORY_PENDING
    tried(world, stored=True, document_id="doc-1")
    assert world.holds("Remembered")
    assert world.status["memory"]["documentId"] == "doc-1"
    assert "nextAttemptAt" not in world.status["memory"]


def test_it_catches_up_when_the_brain_is_back() -> None:
    world = completed(brain={})
    for number in range(1, 20):
        assert world.stored[-1] == TellBrain(number)
        tried(world, error="connection refused")
        assert world.condition("Remembered")["reason"] == Reason.BRAIN_AWAY
        assert world.phase == "completed"
        world.advance(1080)
        world.settle()
    tried(world, stored=True)
    assert world.holds("Remembered")
    assert "lastError" not in world.status["memory"]


def test_a_refusal_is_tried_again_after_an_hour() -> None:
    world = completed(brain={})
    tried(world, reason=Reason.BRAIN_REFUSED, error="401", permanent=True)
    world.advance(3599)
    world.settle()
    assert world.stored[-1] == TellBrain(1)
    world.advance(721)
    world.settle()
    assert world.stored[-1] == TellBrain(2)


def test_who_stores_nothing_has_no_condition() -> None:
    worlds = [
        completed(None, brain={}),
        completed(brain=None),
        completed(brain={"remember": []}),
        completed(brain={}, projectId="test_project"),
    ]
    for world in worlds:
        assert world.phase == "completed"
        assert world.condition("Remembered") == {}
        assert not world.stored


def test_a_task_that_failed_is_not_stored() -> None:
    world = World(classes={"image": a_class(brain={})}, remembering=MemoryPolicy())
    failing(world, 10)
    assert world.phase == "failed"
    assert not world.stored


def test_what_completed_before_is_left_alone() -> None:
    world = completed(None, brain={})
    world.remembering = MemoryPolicy()
    world.settle()
    assert not world.stored


def test_an_outcome_that_comes_twice_counts_once() -> None:
    world = completed(brain={})
    tried(world, error="x")
    writes = world.writes
    world.settle()
    assert world.writes == writes
