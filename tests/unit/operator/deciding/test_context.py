"""What the Brain adds to a task: when it is asked, what waits for it, and with what every attempt runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from mediatask_crds.brain import ContextAddition
from mediatask_crds.podcontract import ENV_SPEC, ExitCode
from mediatask_operator.deciding.observation import Context, Task
from mediatask_operator.deciding.plan import AskBrain, CreateJob
from mediatask_operator.deciding.reasons import Reason
from support.taskworld import LAST_WORDS, START, World, a_class, a_task, failing, looks_again, run_pod

KEY = "projects/p1/uid/context.json"
ADDED = ContextAddition(question=0, field="prompt", characters=9, sha256="b" * 64, sources=["doc-1"])


def asking(policy: str = "Open", *, has_brain: bool = True, **changes: Any) -> World:
    """A new task of a class with a question, after its first pass."""
    brain = {"questions": [{"ask": "Similar"}], "failurePolicy": policy, **changes}
    world = World(classes={"image": a_class(brain=brain)}, has_brain=has_brain)
    world.settle()
    return world


def answered(world: World, **outcome: Any) -> None:
    world.context = Context(world.asked[-1].number, **outcome)
    world.settle()


def added(world: World) -> None:
    answered(world, settled=True, key=KEY, sha256="c" * 64, added=(ADDED,))


def spec_of_the_job(world: World) -> dict[str, Any]:
    env = world.jobs[-1]["spec"]["template"]["spec"]["containers"][0]["env"]
    found: dict[str, Any] = orjson.loads(next(one["value"] for one in env if one["name"] == ENV_SPEC))
    return found


def told(world: World) -> tuple[str, str]:
    condition = world.condition("ContextReady")
    return condition["status"], condition["reason"]


def test_a_task_waits_for_its_context_outside_the_queue_and_says_so() -> None:
    world = asking()
    assert not world.jobs
    assert told(world) == ("False", Reason.CONTEXT_PENDING)
    assert (world.phase, world.condition("JobCreated")["reason"]) == ("queued", Reason.CONTEXT_PENDING)
    assert world.plans[-1].slot.value == "none"
    assert world.asked[-1] == AskBrain(1)


def test_the_job_runs_with_the_data_that_is_on_record() -> None:
    world = asking()
    added(world)
    assert told(world) == ("True", Reason.CONTEXT_ADDED)
    assert spec_of_the_job(world).get("data") is None, "the pod gets the data with the additions from the API"
    context = world.status["context"]
    assert (context["key"], context["added"][0]["sources"]) == (KEY, ["doc-1"])


def test_what_the_task_runs_with_is_written_before_its_job_is_created() -> None:
    """Else a crash in between would leave a Job whose data nobody knows."""
    world = asking()
    world.context = Context(1, settled=True, key=KEY, sha256="c" * 64, added=(ADDED,))
    plan = world.reconcile()
    assert plan.write is not None
    assert plan.create is None
    assert 0 in looks_again(plan)


def test_nothing_to_add_leaves_the_data_alone() -> None:
    world = asking()
    answered(world, settled=True)
    assert told(world) == ("True", Reason.NOTHING_TO_ADD)
    assert spec_of_the_job(world)["data"] == {"prompt": "x"}


def test_open_goes_on_without_and_says_so() -> None:
    world = asking()
    answered(world, error="no answer within 15 s")
    assert told(world) == ("False", Reason.BRAIN_AWAY)
    message = world.condition("ContextReady")["message"]
    assert message.startswith("The task goes on without.")
    assert message.endswith("no answer within 15 s")
    assert spec_of_the_job(world)["data"] == {"prompt": "x"}


def test_closed_waits_tries_on_and_ends_by_its_deadline() -> None:
    world = asking("Closed")
    world.task["spec"]["deadlines"] = {"totalSeconds": 600}
    tries = 0
    while world.phase == "queued":
        answered(world, error="connection refused")
        tries += 1
        assert not world.jobs
        assert world.now <= START + timedelta(seconds=601)
        again = [seconds for seconds in looks_again(world.plans[-1]) if seconds > 0]
        world.advance(min(again, default=0))
        world.settle()
    assert tries > 5
    assert (world.phase, world.status["error"]["code"]) == ("failed", Reason.TOTAL_DEADLINE)
    assert told(world) == ("False", Reason.BRAIN_AWAY)


def test_closed_goes_on_when_the_brain_is_back() -> None:
    world = asking("Closed")
    answered(world, error="connection refused")
    world.advance(3)
    world.settle()
    assert world.asked[-1] == AskBrain(2)
    added(world)
    assert world.jobs
    assert "lastError" not in world.status["context"]


def test_an_outcome_counts_once() -> None:
    world = asking("Closed")
    answered(world, error="x")
    writes = world.writes
    world.settle()
    assert world.writes == writes
    assert world.status["context"]["attempts"] == 1


@pytest.mark.parametrize("asked", [1e30, float("nan"), float("inf"), -5.0])
def test_no_number_that_the_brain_asks_for_stops_the_tries(asked: float) -> None:
    world = asking("Closed")
    answered(world, error="busy", retry_after=asked)
    world.advance(721)
    world.settle()
    assert world.asked[-1] == AskBrain(2)


def test_every_attempt_runs_with_the_same() -> None:
    world = asking()
    added(world)
    failing(world, ExitCode.TEMPORARY)
    asked = len(world.asked)
    world.advance(10)
    world.classes["image"] = a_class(brain={"questions": [{"ask": "Similar"}, {"ask": "Graph", "query": "RETURN 1"}]})
    world.settle()
    assert world.status["attempt"] == 2
    assert len(world.asked) == asked
    assert spec_of_the_job(world).get("data") is None


def test_the_result_says_what_of_the_brain_is_in_it() -> None:
    world = asking()
    added(world)
    world.end(run_pod(world), 0, message=LAST_WORDS, reason="Completed")
    world.settle()
    facts = {"field": "prompt", "sha256": ADDED.sha256, "sources": ["doc-1"]}
    assert world.status["result"]["metadata"] == {"width": 64, "seed": 7, "context": [facts]}


def test_a_retry_that_is_asked_for_runs_with_the_same() -> None:
    world = asking(questions=[{"ask": "Similar"}])
    added(world)
    failing(world, ExitCode.INVALID_INPUT)
    assert world.phase == "failed"
    before = world.status["context"]
    asked = len(world.asked)
    world.spec(retryRequest=1)
    world.settle()
    assert world.status["context"] == before
    assert told(world) == ("True", Reason.CONTEXT_ADDED)
    assert len(world.asked) == asked


def test_a_task_that_ended_before_its_context_came_asks_again_on_retry() -> None:
    world = asking("Closed")
    answered(world, error="x")
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    world.context = None
    world.spec(cancel=False, retryRequest=1)
    world.settle()
    assert world.phase == "queued"
    assert world.asked[-1] == AskBrain(1)


@pytest.mark.parametrize(
    "questions", [[], [{"ask": "Similar", "taskTypes": ["generate_video"]}]], ids=["none", "of another type"]
)
def test_without_a_question_for_the_type_nothing_waits(questions: list[Any]) -> None:
    world = asking(questions=questions)
    assert world.jobs
    assert world.condition("ContextReady") == {}
    assert "context" not in world.status


def test_a_class_that_asks_no_longer_lets_its_tasks_go() -> None:
    world = asking("Closed")
    answered(world, error="x")
    world.classes["image"] = a_class()
    world.settle()
    assert world.jobs
    assert world.condition("ContextReady") == {}


def test_without_a_brain_open_goes_on_and_closed_waits() -> None:
    gone_on, waits = asking(has_brain=False), asking("Closed", has_brain=False)
    assert told(gone_on) == told(waits) == ("False", Reason.NO_BRAIN)
    assert gone_on.jobs
    assert not waits.jobs
    assert not gone_on.asked
    attempts = waits.status["context"]["attempts"]
    waits.settle()
    assert waits.status["context"]["attempts"] == attempts == 1


def test_a_job_that_was_created_before_a_class_asked_is_followed() -> None:
    world = World()
    world.reconcile(write_lost=True)
    world.classes["image"] = a_class(brain={"questions": [{"ask": "Similar"}]})
    world.has_brain = True
    world.settle()
    assert len(world.jobs) == 1
    assert not world.asked


def test_a_cancel_does_not_wait_for_the_brain() -> None:
    world = asking("Closed")
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    added(world)
    assert not world.jobs


def test_no_job_is_created_while_the_context_is_open() -> None:
    world = asking()
    assert not any(isinstance(action, CreateJob) for plan in world.plans for action in plan.actions)
    assert Task.parse(world.task).status.context is not None


def test_a_task_that_is_scheduled_asks_when_its_time_has_come() -> None:
    world = World(
        task=a_task(notBefore="2026-11-21T11:00:00Z"),
        classes={"image": a_class(brain={"questions": [{"ask": "Similar"}]})},
        has_brain=True,
    )
    world.settle()
    assert not world.asked
    world.advance(3600)
    world.settle()
    assert world.asked
