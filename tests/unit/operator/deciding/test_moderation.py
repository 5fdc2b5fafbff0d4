"""Moderation of tasks: what waits, what is refused, and who gets to see what is held."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mediatask_crds.podcontract import ENV_SPEC, JobResult
from mediatask_operator.deciding.moderation import ModerationPolicy
from mediatask_operator.deciding.observation import Moderation, RulesInUse
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.registration import RegistrationPolicy
from support.taskworld import RESULT, World, a_class, a_task

RULES = RulesInUse("v1")
SHA = "a" * 64
CALLBACK = {"url": "https://example.com/hook", "events": ["completed", "failed", "cancelled"]}


def checking(**changes: Any) -> World:
    """A new task that is about to be checked."""
    world = World(task=a_task(callback=CALLBACK), **{"rules": RULES, **changes})
    world.settle()
    return world


def checked(world: World, decision: Any = "allow", digest: str | None = "v1", **outcome: Any) -> None:
    world.moderation = Moderation(world.checks[-1].number, decision, digest=digest, **outcome)
    world.settle()


def finished(world: World, **verdict: Any) -> None:
    """The job runs and publishes."""
    if verdict:
        found = {"check": "known_pictures", "decision": "pass", "score": 0.0, "reason": "NothingKnown", **verdict}
        world.result = JobResult(**{**RESULT.model_dump(), "metadata": {**RESULT.metadata, "moderation": found}})
    pod = world.start()
    world.settle()
    world.end(pod, 0)
    world.settle()


def with_check(**output: Any) -> World:
    moderation = {"output": {"name": "known_pictures", **output}}
    world = World(task=a_task(callback=CALLBACK), classes={"image": a_class(moderation=moderation)})
    world.settle()
    return world


def spec_of_the_job(world: World) -> dict[str, Any]:
    env = world.jobs[-1]["spec"]["template"]["spec"]["containers"][0]["env"]
    found: dict[str, Any] = orjson.loads(next(one["value"] for one in env if one["name"] == ENV_SPEC))
    return found


def told(world: World, kind: str = "Moderated") -> tuple[str, str]:
    condition = world.condition(kind)
    return condition.get("status", ""), condition.get("reason", "")


def test_a_task_waits_outside_the_queue_until_it_is_checked() -> None:
    world = checking()
    assert (world.phase, told(world), world.jobs) == ("queued", ("False", "Moderating"), [])
    assert world.status["currentStep"] == "moderating"
    assert world.plans[-1].slot.value == "none"
    checked(world)
    assert told(world) == ("True", "RequestAllowed")
    assert len(world.jobs) == 1


def test_the_decision_is_on_record_before_the_job() -> None:
    world = checking()
    world.moderation = Moderation(1, "hold", ("r",), "v1")
    plan = world.reconcile()
    assert plan.create is None
    assert world.status["moderation"]["decision"] == "hold"


def test_without_rules_and_classifier_nothing_is_checked() -> None:
    world = World()
    world.settle()
    assert len(world.jobs) == 1
    assert "moderation" not in world.status
    assert "previews" not in spec_of_the_job(world)


def test_a_refused_task_fails_and_names_the_rule_alone() -> None:
    world = checking()
    checked(world, "refuse", rules=("no-gore",))
    assert (world.phase, world.status["error"]["code"]) == ("failed", "ModerationFailed")
    assert "no-gore" in world.status["error"]["message"]
    assert not world.status["error"]["retryable"]
    assert not world.jobs
    assert {hook.number for hook in world.webhooks} == {1}


def test_rules_that_cannot_be_used_let_everybody_wait() -> None:
    world = checking(rules=RulesInUse("v0", "entry x: bad"))
    assert told(world) == ("False", "RulesUnusable")
    assert not world.checks
    world.rules = RULES
    world.settle()
    checked(world)
    assert len(world.jobs) == 1


def test_new_rules_are_for_those_who_wait() -> None:
    world = checking(admitted=False)
    checked(world)
    world.rules = RulesInUse("v2")
    world.settle()
    assert world.checks[-1].number == 2
    checked(world, "refuse", digest="v2", rules=("new",))
    assert world.phase == "failed"


@pytest.mark.parametrize(("policy", "runs"), [("Closed", False), ("Open", True)])
def test_a_classifier_that_is_away(policy: str, runs: bool) -> None:
    classes = {"image": a_class(moderation={"failurePolicy": policy})}
    world = checking(classes=classes, rules=None, moderating=ModerationPolicy(classifier=True))
    checked(world, digest=None, error="no answer within 10 s")
    assert bool(world.jobs) is runs
    assert told(world) == (("True", "ClassifierSkipped") if runs else ("False", "ClassifierAway"))
    if not runs:
        world.advance(5)
        world.settle()
        assert world.checks[-1].number == 2
        checked(world, digest=None, score=0.1)
        assert len(world.jobs) == 1


def test_a_rule_refuses_though_the_classifier_is_away() -> None:
    world = checking(moderating=ModerationPolicy(classifier=True))
    checked(world, "refuse", rules=("no-gore",), error="away")
    assert world.phase == "failed"


def test_media_that_is_held_is_told_of_to_nobody() -> None:
    world = checking(registering=RegistrationPolicy())
    checked(world, "hold", rules=("look",))
    assert spec_of_the_job(world)["previews"] is False
    finished(world)
    assert (world.phase, told(world, "Held")) == ("processing", ("True", "HeldByRule"))
    assert world.status["currentStep"] == "held_for_review"
    assert not world.webhooks
    assert not world.registrations
    assert "completedAt" not in world.status
    assert world.plans[-1].slot.value == "none"
    world.advance(10 * 24 * 3600)
    world.settle()
    assert world.phase == "processing"


@pytest.mark.parametrize("decision", ["release", "reject"])
def test_a_review_ends_the_task(decision: str) -> None:
    world = checking(registering=RegistrationPolicy())
    checked(world, "hold", rules=("look",))
    finished(world)
    world.spec(review={"decision": decision, "sha256": SHA, "by": "key:anna"})
    world.settle()
    assert told(world, "Held")[0] == "False"
    assert world.status["moderation"]["review"]["by"] == "key:anna"
    if decision == "release":
        assert world.phase == "completed"
        assert world.registrations
        assert world.status["result"]["artifacts"]
    else:
        assert (world.phase, world.status["error"]["code"]) == ("failed", "ModerationFailed")
        assert "result" not in world.status
        assert world.webhooks


def test_a_review_of_other_media_says_nothing() -> None:
    world = checking()
    checked(world, "hold")
    world.spec(review={"decision": "release", "sha256": "b" * 64})
    finished(world)
    assert world.phase == "processing"


def test_a_held_task_can_be_cancelled() -> None:
    world = checking()
    checked(world, "hold")
    finished(world)
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    assert "result" not in world.status


def test_rejected_media_does_not_come_back_by_a_retry() -> None:
    world = checking()
    checked(world, "hold")
    finished(world)
    world.spec(review={"decision": "reject", "sha256": SHA})
    world.settle()
    world.spec(retryRequest=1)
    world.settle()
    assert (world.phase, len(world.jobs)) == ("failed", 1)


@pytest.mark.parametrize(
    ("verdict", "held"),
    [
        ({"decision": "pass"}, None),
        ({"decision": "hold", "score": 1.0, "reason": "KnownPicture"}, Reason.HELD_BY_CHECK),
        ({"check": "another"}, Reason.NOT_CHECKED),
        ({"score": 7}, Reason.NOT_CHECKED),
        ({"reason": "what the picture\nshows"}, Reason.NOT_CHECKED),
        ({}, Reason.NOT_CHECKED),
    ],
)
def test_a_class_with_a_check_believes_only_its_verdict(verdict: dict[str, Any], held: Reason | None) -> None:
    world = with_check()
    assert spec_of_the_job(world)["output_check"]["name"] == "known_pictures"
    finished(world, **verdict)
    assert world.phase == ("processing" if held else "completed")
    if held:
        assert told(world, "Held") == ("True", held)


def test_media_is_held_although_its_class_is_gone() -> None:
    world = with_check()
    pod = world.start()
    world.settle()
    world.classes = {}
    world.end(pod, 0)
    world.settle()
    assert told(world, "Held") == ("True", "NotChecked")


@pytest.mark.parametrize(("asked", "shown"), [(False, False), (True, None)])
def test_a_class_with_a_check_shows_no_previews_unless_it_says_so(asked: bool, shown: bool | None) -> None:
    world = with_check(previews=asked)
    assert spec_of_the_job(world).get("previews") is shown
    assert world.status["moderation"].get("previews") is shown


def test_nothing_can_be_held_where_everybody_can_read_the_store() -> None:
    public = ModerationPolicy(public_store=True)
    world = checking(moderating=public)
    checked(world, "hold", rules=("look",))
    assert world.phase == "failed"
    world = with_check()
    world = World(classes={"image": a_class(moderation={"output": {"name": "x"}})}, moderating=public)
    world.settle()
    assert told(world) == ("False", "StorePublic")
    assert not world.jobs
