"""Whole lives of tasks: every step of every pass, compared with a transcript that a person has checked.

The other tests say what matters in a case. These see all the rest: a wrong number, a word, a step too many. After an
intended change write the transcripts anew with `UPDATE_TRANSCRIPTS=1`, and read what has changed in them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediatask_common.times import rfc3339
from mediatask_crds.podcontract import ExitCode, JobError, TerminationMessage
from mediatask_operator.deciding.observation import Delivery, Refusal, Registration, StoreAway
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.registration import RegistrationPolicy
from support.taskworld import LAST_WORDS, START, World, a_class, a_task, failing, run_pod
from support.transcript import transcript

FOLDER = Path(__file__).with_name("transcripts")
CALLBACK = {"url": "https://app.example/hook", "events": ["started", "completed", "failed", "cancelled"]}
GPUS = {"count": 2}
AWAY = StoreAway("connection refused")
LIVES: list[Callable[[], World]] = []


def life(tell: Callable[[], World]) -> Callable[[], World]:
    """Its transcript is compared."""
    LIVES.append(tell)
    return tell


def gpu_world(**spec: object) -> World:
    return World(classes={"image": a_class(gpu=GPUS, **spec)})


def cancelled_with_a_webhook() -> World:
    world = World(task=a_task(callback=CALLBACK), admitted=False)
    world.spec(cancel=True)
    world.settle()
    return world


# ---- good ends


@life
def completed_with_webhooks() -> World:
    world = gpu_world()
    world.task = a_task(callback=CALLBACK)
    world.settle()
    world.advance(2)
    pod = world.start()
    world.settle()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=True, status_code=204)
    world.settle()
    world.advance(30)
    world.end(pod, 0, message=LAST_WORDS, reason="Completed")
    world.settle()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=False, status_code=500, error="HTTP 500")
    world.settle()
    world.advance(6)
    world.settle()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 2, ok=True, status_code=200)
    world.settle()
    return world


@life
def queued_behind_others_then_completed() -> World:
    world = World(admitted=False, position=40)
    world.settle()
    world.advance(40)
    world.settle()
    world.position = 3
    world.settle()
    world.admitted = True
    pod = run_pod(world)
    world.advance(12.3456)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    return world


@life
def news_of_the_start_waits_for_the_pod() -> World:
    world = World(status_delay=timedelta(seconds=3))
    world.settle()
    world.advance(1)
    pod = world.pod()
    world.settle()
    world.advance(1)
    world.start(pod)
    world.settle()
    return world


@life
def news_of_the_start_waits_no_longer_than_that() -> World:
    world = World(status_delay=timedelta(seconds=3))
    world.settle()
    world.advance(3)
    world.settle()
    return world


@life
def a_start_without_events_in_between() -> World:
    """Pending, placed, pulled, started: what is not worth a write is not written."""
    world = World()
    world.settle()
    pod = world.pod()
    world.settle()
    pod["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ]
    world.settle()
    world.advance(5)
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(world.now)}]
    pod["spec"]["nodeName"] = "node-1"
    world.settle()
    world.waits(pod, "ErrImagePull", "no route to the registry")
    world.settle()
    world.advance(5)
    world.start(pod)
    world.settle()
    return world


@life
def a_result_without_a_container_that_says_so() -> World:
    """The pod is gone before it has told its end; the store has the result."""
    world = World()
    pod = run_pod(world)
    world.advance(20)
    world.remove_pod(pod)
    world.settle()
    return world


# ---- attempts that fail


@life
def killed_twice_then_completed() -> World:
    world = gpu_world()
    failing(world, 137)
    world.advance(10)
    failing(world, 137)
    world.advance(20)
    world.published = True
    world.settle()
    pod = world.start(node="node-3")
    world.settle()
    world.advance(9)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    return world


@life
def faulty_gpus_are_avoided() -> World:
    world = World(published=False)
    for node, code in (("node-9", ExitCode.GPU_FAULT), ("node-2", ExitCode.GPU_FAULT), ("node-5", 137)):
        world.settle()
        world.end(world.start(node=node), code)
        world.settle()
        world.advance(60)
    world.settle()
    return world


@life
def the_retry_limit_is_reached_and_a_retry_asked_for() -> World:
    world = World(classes={"image": a_class(retry={"limit": 1})}, task=a_task(callback=CALLBACK))
    failing(world, ExitCode.TEMPORARY)
    world.advance(10)
    failing(world, ExitCode.TEMPORARY)
    world.advance(100)
    world.spec(retryRequest=1)
    world.published = True
    world.settle()
    world.advance(5)
    pod = world.start()
    world.settle()
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    return world


@life
def a_job_says_why() -> World:
    world = World(published=False)
    world.settle()
    words = TerminationMessage(error=JobError(code="InputUnreachable", message="no such host", retryable=False))
    world.end(world.start(), ExitCode.INVALID_INPUT, message=words.model_dump_json(exclude_none=True))
    world.settle()
    return world


@life
def gpu_memory_runs_out_in_both_classes() -> World:
    world = World(classes={"image": a_class(fallbackClass="big", retry={"limit": 0}), "big": a_class(default=False)})
    failing(world, ExitCode.GPU_OUT_OF_MEMORY)
    world.advance(10)
    failing(world, ExitCode.GPU_OUT_OF_MEMORY)
    return world


@life
def disrupted_again_and_again() -> World:
    world = World(published=False)
    for _ in range(21):
        world.settle()
        pod = world.start()
        world.settle()
        world.disrupt(pod)
        world.end(pod, 143)
        world.fail_job(world.jobs[-1])
        world.settle()
        world.advance(400)
    world.settle()
    # A few of them say what all do.
    del world.plans[12:-8], world.moments[12:-8]
    return world


@life
def a_success_without_a_result() -> World:
    world = World(published=False, classes={"image": a_class(retry={"limit": 0})})
    world.settle()
    world.end(world.start(), 0)
    world.settle()
    return world


@life
def an_image_that_cannot_be_pulled() -> World:
    world = World(classes={"image": a_class(retry={"limit": 0})})
    world.settle()
    pod = world.pod()
    world.waits(pod, "ImagePullBackOff", "no such image")
    world.settle()
    world.advance(300)
    world.settle()
    world.finish_deletions()
    world.settle()
    return world


@life
def no_pod_in_time() -> World:
    world = World(classes={"image": a_class(retry={"limit": 0}, deadlines={"startSeconds": 60})})
    world.settle()
    world.advance(60)
    world.settle()
    world.collect()
    world.settle()
    return world


@life
def the_run_deadline_ends_an_attempt() -> World:
    world = World(published=False, classes={"image": a_class(retry={"limit": 0}, deadlines={"runSeconds": 60})})
    run_pod(world)
    world.advance(60)
    world.settle()
    world.advance(5)
    world.finish_deletions()
    world.settle()
    return world


@life
def a_node_is_lost() -> World:
    world = World(published=False)
    pod = run_pod(world)
    pod["metadata"] |= {"deletionTimestamp": rfc3339(world.now + timedelta(seconds=30))}
    world.settle()
    world.advance(90)
    world.settle()
    world.advance(10)
    world.settle()
    return world


# ---- the store is away


@life
def the_store_is_away_then_back() -> World:
    world = World()
    pod = run_pod(world)
    world.advance(30)
    world.proof = AWAY
    world.end(pod, 0, message=LAST_WORDS)
    world.reconcile()
    world.advance(40)
    world.proof = AWAY
    world.reconcile()
    world.advance(400)
    world.proof = AWAY
    world.reconcile()
    world.settle()
    return world


@life
def the_store_is_away_until_the_total_deadline() -> World:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 600})})
    pod = run_pod(world)
    world.proof = AWAY
    world.end(pod, 0)
    world.reconcile()
    world.advance(600)
    world.proof = AWAY
    world.settle()
    return world


# ---- waiting


@life
def no_class_until_the_total_deadline() -> World:
    world = World(classes={})
    world.settle()
    world.advance(50)
    world.settle()
    world.classes = {"image": a_class()}
    world.settle()
    return world


@life
def a_class_that_serves_other_types() -> World:
    world = World(task=a_task(className="voice"), classes={"voice": a_class(taskTypes=["process_audio"])})
    world.settle()
    return world


@life
def data_that_cannot_be_used() -> World:
    world = World(data={"width": "wide"})
    world.settle()
    return world


@life
def scheduled() -> World:
    world = World(task=a_task(notBefore=rfc3339(START + timedelta(hours=2))))
    world.settle()
    world.advance(7199)
    world.settle()
    world.advance(1)
    world.settle()
    return world


@life
def scheduled_too_late() -> World:
    world = World(task=a_task(notBefore=rfc3339(START + timedelta(days=400))))
    world.settle()
    return world


@life
def quota_refuses_the_job() -> World:
    world = World()
    world.refusal = Refusal(1, 403, "exceeded quota: gpus", START + timedelta(seconds=15))
    world.settle()
    world.advance(14)
    world.settle()
    world.advance(1)
    world.settle()
    return world


@life
def quota_refuses_until_the_total_deadline() -> World:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 60})})
    world.refusal = Refusal(1, 403, "exceeded quota: gpus", START + timedelta(seconds=90))
    world.settle()
    world.advance(60)
    world.settle()
    return world


@life
def the_jobs_name_is_taken() -> World:
    world = World()
    world.refusal = Refusal(1, 409, "somebody else's", START)
    world.settle()
    return world


@life
def the_job_is_invalid() -> World:
    world = World()
    world.refusal = Refusal(1, 422, "spec.template: too long", START)
    world.settle()
    return world


@life
def the_total_deadline_in_the_queue() -> World:
    world = World(admitted=False, classes={"image": a_class(deadlines={"totalSeconds": 10})})
    world.settle()
    world.advance(10)
    world.settle()
    return world


@life
def the_total_deadline_while_it_runs() -> World:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 60})}, published=False)
    run_pod(world)
    world.advance(60)
    world.settle()
    world.finish_deletions()
    world.settle()
    return world


# ---- stopping


@life
def cancelled_in_the_queue() -> World:
    world = World(admitted=False, task=a_task(callback=CALLBACK))
    world.settle()
    world.spec(cancel=True)
    world.settle()
    return world


@life
def cancelled_while_it_runs() -> World:
    world = gpu_world()
    run_pod(world)
    world.advance(10)
    world.spec(cancel=True)
    world.settle()
    world.advance(5)
    world.finish_deletions()
    world.settle()
    return world


@life
def cancelled_while_the_store_is_away() -> World:
    world = World()
    pod = run_pod(world)
    world.proof = AWAY
    world.end(pod, 0)
    world.reconcile()
    world.proof = AWAY
    world.spec(cancel=True)
    world.settle()
    return world


@life
def cancelled_too_late() -> World:
    world = World()
    pod = run_pod(world)
    world.end(pod, 0, message=LAST_WORDS)
    world.spec(cancel=True)
    world.settle()
    return world


# ---- restarts and refusals of the API server


@life
def the_operator_died_before_the_status_was_written() -> World:
    world = gpu_world()
    world.reconcile(write_lost=True)
    world.advance(7)
    world.start()
    world.settle()
    return world


@life
def of_two_attempts_nothing_was_written() -> World:
    world = World(published=False)
    world.reconcile(write_lost=True)
    second = world._stored(world.jobs[0])
    second["metadata"]["name"] = second["metadata"]["name"].removesuffix("1") + "2"
    for meta in (second["metadata"], second["spec"]["template"]["metadata"]):
        meta["labels"] = {name: "2" if value == "1" else value for name, value in meta["labels"].items()}
    world.jobs.append(second)
    world.settle()
    return world


@life
def the_status_is_not_taken() -> World:
    world = World()
    run_pod(world)
    world.unwritable = "status.attempts[0].message: " + "x" * 600
    world.reconcile()
    world.unwritable = None
    world.finish_deletions()
    world.settle()
    return world


@life
def the_status_of_a_task_in_the_queue_is_not_taken() -> World:
    world = World(admitted=False)
    world.settle()
    world.unwritable = "spec: no"
    world.reconcile()
    world.reconcile()
    return world


# ---- webhooks


@life
def webhook_given_up_and_delivered_again() -> World:
    world = cancelled_with_a_webhook()
    for number in range(1, 11):
        url = world.webhooks[-1].webhook_id
        world.delivery = Delivery(url, number, ok=False, status_code=500 + number, error=f"HTTP {500 + number}")
        world.settle()
        world.advance(30 * 3600)
        world.settle()
    world.spec(redeliverRequest=1)
    world.settle()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 11, ok=True, status_code=200)
    world.settle()
    return world


@life
def webhook_refused_for_good() -> World:
    world = cancelled_with_a_webhook()
    gone = world.webhooks[-1].webhook_id
    world.delivery = Delivery(gone, 1, ok=False, status_code=410, error="HTTP 410", permanent=True)
    world.settle()
    return world


@life
def webhook_to_a_forbidden_address() -> World:
    world = cancelled_with_a_webhook()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=False, permanent=True)
    world.settle()
    return world


@life
def webhook_of_a_receiver_that_asks_for_time() -> World:
    world = cancelled_with_a_webhook()
    busy = world.webhooks[-1].webhook_id
    world.delivery = Delivery(busy, 1, ok=False, status_code=429, error="HTTP 429", retry_after=90.0)
    world.settle()
    return world


# ---- registered in PayloadCMS


def registering(*events: str) -> World:
    """A task that has just completed, with a PayloadCMS."""
    task = a_task(callback={"url": CALLBACK["url"], "events": list(events)})
    world = World(task=task, registering=RegistrationPolicy())
    world.end(run_pod(world), 0, message=LAST_WORDS, reason="Completed")
    world.settle()
    return world


def answered(world: World, media_id: str | None = None, **outcome: Any) -> None:
    """A try to register has ended."""
    world.registration = Registration(world.registrations[-1].number, media_id, **outcome)
    world.settle()


@life
def registered_at_once() -> World:
    world = registering("completed", "registered")
    world.advance(1)
    answered(world, "64f1b2c3")
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=True, status_code=204)
    world.settle()
    return world


@life
def registered_late_after_the_webhook_went_without() -> World:
    world = registering("completed", "registered")
    answered(world, error="no answer within 30 s")
    world.advance(30)
    world.settle()
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=True, status_code=204)
    world.settle()
    answered(world, "64f1b2c3")
    world.delivery = Delivery(world.webhooks[-1].webhook_id, 1, ok=True, status_code=204)
    world.settle()
    return world


@life
def payload_refuses_then_is_away_then_catches_up() -> World:
    world = registering("completed")
    answered(world, reason=Reason.PAYLOAD_REFUSED, error="PayloadCMS answered 403", permanent=True)
    world.advance(2 * 3600)
    world.settle()
    for _ in range(3):
        answered(world, error="no answer within 30 s", retry_after=20.0)
        world.advance(80)
        world.settle()
    answered(world, "64f1b2c3")
    return world


@pytest.mark.parametrize("tell", LIVES, ids=lambda tell: tell.__name__)
def test_a_life_is_as_its_transcript_has_it(tell: Callable[[], World]) -> None:
    path, told = FOLDER / f"{tell.__name__}.txt", transcript(tell())
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(told)
    assert told == path.read_text()


def test_no_transcript_is_left_without_its_life() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {tell.__name__ for tell in LIVES}
