"""Putting media into PayloadCMS: when it is tried, what waits for it, and what is told when it was late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from mediatask_operator.deciding.observation import Delivery, Registration, Task
from mediatask_operator.deciding.plan import RegisterMedia
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.registration import RegistrationPolicy
from mediatask_operator.effects.message import body
from support.taskworld import LAST_WORDS, START, World, a_task, run_pod

HOOK = "https://app.example/hook"
POLICY = RegistrationPolicy(webhook_wait=timedelta(seconds=30))
AWAY = {"reason": Reason.PAYLOAD_AWAY, "error": "no answer within 30 s"}


def completed(policy: RegistrationPolicy | None = POLICY, **spec: Any) -> World:
    world = World(task=a_task(callback={"url": HOOK}) if not spec else a_task(**spec), registering=policy)
    world.end(run_pod(world), 0, message=LAST_WORDS, reason="Completed")
    world.settle()
    return world


def tried(world: World, **outcome: Any) -> None:
    world.registration = Registration(world.registrations[-1].number, **outcome)
    world.settle()


def delivered(world: World, *, ok: bool = True) -> None:
    last = world.webhooks[-1]
    world.delivery = Delivery(last.webhook_id, last.number, ok=ok)
    world.settle()


def told(world: World) -> dict[str, Any]:
    """The message of the webhook that is under way."""
    task = Task.parse(world.task)
    assert task.status.callback is not None
    found: dict[str, Any] = orjson.loads(body(task, task.status.callback.event, lambda key, at: "https://media"))
    return found


def events(world: World) -> list[str]:
    """Webhooks in the order in which they began, by their ids; each once."""
    return list(dict.fromkeys(webhook.webhook_id for webhook in world.webhooks))


def test_without_a_payload_nothing_changes() -> None:
    world = completed(None)
    assert world.condition("Registered") == {}
    assert "registration" not in world.status
    assert not world.registrations
    assert world.webhooks


def test_the_webhook_waits_for_the_document_and_names_it() -> None:
    world = completed()
    assert (world.condition("Registered")["status"], world.condition("Registered")["reason"]) == (
        "False",
        Reason.REGISTRATION_PENDING,
    )
    assert world.phase == "completed"
    assert not world.webhooks
    tried(world, media_id="64f1")
    assert world.holds("Registered")
    assert world.status["result"]["payloadMediaId"] == "64f1"
    assert told(world)["result"]["payload_media_id"] == "64f1"
    assert len(events(world)) == 1


def test_the_webhook_goes_without_after_its_time_and_says_the_same_on_every_try() -> None:
    world = completed()
    tried(world, **AWAY)
    world.advance(29)
    world.settle()
    assert not world.webhooks
    world.advance(1)
    world.settle()
    first = told(world)
    assert first["result"]["payload_media_id"] is None
    delivered(world, ok=False)
    tried(world, media_id="64f1")
    assert world.status["result"]["payloadMediaId"] == "64f1"
    assert told(world) == first


def test_a_late_registration_is_told_where_it_is_asked_for_once_the_completion_was() -> None:
    world = completed(callback={"url": HOOK, "events": ["completed", "registered"]})
    tried(world, **AWAY)
    world.advance(30)
    world.settle()
    delivered(world, ok=False)
    tried(world, media_id="64f1")
    assert told(world)["type"] == "task.completed"
    world.advance(10)
    world.settle()
    delivered(world)
    message = told(world)
    assert (message["type"], message["status"]) == ("task.registered", "completed")
    assert message["result"]["payload_media_id"] == "64f1"
    assert message["timestamp"] == world.status["registration"]["registeredAt"]
    assert len(events(world)) == 2
    delivered(world)
    world.advance(10_000)
    world.settle()
    assert len(events(world)) == 2


def test_a_registration_in_time_is_no_news_of_its_own() -> None:
    world = completed(callback={"url": HOOK, "events": ["completed", "registered"]})
    tried(world, media_id="64f1")
    delivered(world)
    assert len(events(world)) == 1
    alone = completed(callback={"url": HOOK, "events": ["registered"]})
    tried(alone, media_id="64f1")
    assert told(alone)["type"] == "task.registered"


def test_a_redelivery_of_the_completion_names_the_late_document() -> None:
    world = completed()
    tried(world, **AWAY)
    world.advance(30)
    world.settle()
    delivered(world)
    tried(world, media_id="64f1")
    assert told(world)["result"]["payload_media_id"] is None
    world.spec(redeliverRequest=1)
    world.settle()
    assert told(world)["result"]["payload_media_id"] == "64f1"
    assert len(events(world)) == 1


def test_it_is_tried_until_it_works_ever_more_seldom() -> None:
    world = completed(taskData={}, callback=None)
    begun = world.now
    for number in range(1, 30):
        assert world.registrations[-1] == RegisterMedia(number)
        tried(world, **AWAY)
        when = world.status["registration"]["nextAttemptAt"]
        world.now = max(world.now, _moment(when))
        world.settle()
    assert timedelta(hours=5) < world.now - begun < timedelta(hours=8)
    assert world.condition("Registered")["reason"] == Reason.PAYLOAD_AWAY
    tried(world, media_id="7")
    assert world.holds("Registered")
    assert "nextAttemptAt" not in world.status["registration"]


def test_a_refusal_is_told_and_tried_again_an_hour_later() -> None:
    world = completed()
    tried(world, reason=Reason.PAYLOAD_REFUSED, error="PayloadCMS answered 403", permanent=True)
    condition = world.condition("Registered")
    assert condition["reason"] == Reason.PAYLOAD_REFUSED
    assert condition["message"].endswith("PayloadCMS answered 403")
    assert _moment(world.status["registration"]["nextAttemptAt"]) - world.now >= timedelta(hours=1)


@pytest.mark.parametrize(("asked", "least", "most"), [(120.0, 120, 150), (1e9, 3600, 4400), (float("nan"), 2, 3)])
def test_retry_after_is_honoured_within_reason(asked: float, least: float, most: float) -> None:
    world = completed()
    tried(world, **AWAY, retry_after=asked)
    pause = _moment(world.status["registration"]["nextAttemptAt"]) - world.now
    assert timedelta(seconds=least) <= pause <= timedelta(seconds=most)


def test_test_projects_and_what_completed_before_have_no_document() -> None:
    assert not completed(projectId="test_project").registrations
    assert completed(RegistrationPolicy(excluded_projects=frozenset()), projectId="test_project").registrations
    before = completed(None)
    before.registering = POLICY
    before.settle()
    assert not before.registrations
    assert before.condition("Registered") == {}


def test_a_payload_that_is_no_longer_configured_holds_nothing_up() -> None:
    world = completed()
    world.registering = None
    world.settle()
    assert world.webhooks
    assert world.condition("Registered")["status"] == "False"


def test_an_outcome_is_recorded_once() -> None:
    world = completed()
    tried(world, **AWAY)
    status = orjson.dumps(world.status)
    world.settle()
    assert orjson.dumps(world.status) == status
    assert world.status["registration"]["attempts"] == 1


def _moment(text: str) -> Any:
    return Task.parse(a_task(notBefore=text)).not_before or START


def test_one_that_is_to_hurry_tries_at_once_and_only_once() -> None:
    world = completed()
    tried(world, **AWAY, permanent=True)
    assert {action.number for action in world.registrations} == {1}
    world.hurried = 1
    world.settle()
    assert {action.number for action in world.registrations} == {1, 2}
    tried(world, **AWAY, permanent=True)
    assert world.status["registration"]["attempts"] == 2
    assert {action.number for action in world.registrations} == {1, 2}, "what it was told was about the try before"
