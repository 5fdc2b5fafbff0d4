"""The reconcile rule, told as stories: what happens in the cluster, and what the operator makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mediatask_common.times import rfc3339
from mediatask_operator.deciding.observation import Delivery, Refusal, Turn
from mediatask_operator.deciding.plan import (
    Need,
    Plan,
    RequeueAfter,
    Slot,
)
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.reconcile import Policy, decide
from support.taskworld import LAST_WORDS, START, World, a_class, a_task, failing, looks_again, run_pod


def test_a_task_runs_to_completion_in_three_writes() -> None:
    world = World()
    world.settle()
    assert (world.phase, world.status["currentStep"], world.status["progress"]) == ("queued", "waiting_in_queue", 0.0)
    assert world.holds("JobCreated")
    assert world.condition("Reconciling")["reason"] == Reason.JOB_CREATED
    assert len(world.jobs) == 1
    world.advance(5)
    pod = world.start()
    world.settle()
    assert world.phase == "processing"
    assert world.status["startedAt"] == "2026-11-21T10:00:05Z"
    world.advance(30)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.phase == "completed"
    assert world.holds("Complete")
    assert not world.holds("Running")
    assert not world.holds("Reconciling")
    assert world.status["result"]["mediaUrl"] == "https://media/image.png"
    assert (world.status["progress"], world.status["currentStep"]) == (1.0, "upload_complete")
    assert world.status["timings"] == {"queued": 0.0, "scheduled": 5.0, "image": 0.0, "infer": 1.5, "total": 35.0}
    assert world.writes == 3


def test_a_condition_that_somebody_has_removed_comes_back() -> None:
    world = World()
    world.settle()
    kept = [condition for condition in world.status["conditions"] if condition["type"] != "Running"]
    world.task["status"]["conditions"] = kept
    world.waits(world.pod(), "ImagePullBackOff")
    world.settle()
    assert world.condition("Running")["reason"] == Reason.POD_STARTING


def test_progress_of_a_running_attempt_is_left_to_its_reports() -> None:
    world = World()
    pod = run_pod(world)
    world.task["status"] |= {"progress": 0.4, "currentStep": "rendering_video"}
    pod["metadata"]["deletionTimestamp"] = "2026-11-21T10:05:00Z"
    world.settle()
    assert (world.status["progress"], world.status["currentStep"]) == (0.4, "rendering_video")


def test_invalid_data_never_gets_a_job() -> None:
    world = World(data={"prompt": "x", "width": 10**6})
    world.settle()
    assert world.phase == "failed"
    error = world.status["error"]
    assert (error["code"], error["retryable"]) == ("InvalidTaskData", False)
    assert error["message"].startswith("width: ")
    assert (world.condition("Accepted")["status"], world.condition("Accepted")["reason"]) == (
        "False",
        "InvalidTaskData",
    )
    assert not world.jobs


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": "x" * 20_000}, "at most 16384 are accepted"),
        ({str(number): 1 for number in range(65)}, "at most 64 items"),
        ({"a": float("inf")}, "numbers must be finite"),
    ],
)
def test_metadata_that_the_api_server_cannot_bound_fails_the_task(metadata: dict[str, object], message: str) -> None:
    world = World(task=a_task(metadata=metadata))
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "InvalidTaskData")
    assert world.status["error"]["message"].startswith("metadata: ")
    assert message in world.status["error"]["message"]
    assert not world.jobs


def test_a_missing_class_is_waited_for() -> None:
    world = World(classes={})
    world.settle()
    assert world.phase == "queued"
    assert world.condition("Accepted")["reason"] == Reason.CLASS_NOT_FOUND
    assert world.holds("Stalled")
    assert (world.status["currentStep"], world.status["progress"]) == ("waiting_in_queue", 0.0)
    world.classes["image"] = a_class()
    world.settle()
    assert world.holds("Accepted")
    assert not world.holds("Stalled")
    assert len(world.jobs) == 1


def test_a_class_for_other_types_fails_the_task() -> None:
    world = World(task=a_task(className="sound"), classes={"sound": a_class(taskTypes=["process_audio"])})
    world.settle()
    assert world.status["error"]["code"] == "ClassNotForType"
    assert world.status["error"]["retryable"] is False


def test_a_class_that_comes_late_and_serves_other_types_is_why_the_task_is_not_accepted() -> None:
    world = World(task=a_task(className="sound"), classes={})
    world.settle()
    world.classes["sound"] = a_class(taskTypes=["process_audio"])
    world.settle()
    assert world.status["error"]["code"] == "ClassNotForType"
    assert world.condition("Accepted")["reason"] == "ClassNotForType"


def test_a_job_that_the_server_finds_invalid_fails_the_task() -> None:
    world = World()
    world.refusal = Refusal(1, 422, "resources.limits: bad quantity", world.now)
    world.settle()
    assert world.status["error"]["code"] == "JobRejected"


def test_a_job_that_quota_forbids_is_tried_again() -> None:
    world = World()
    world.refusal = Refusal(1, 403, "exceeded quota", world.now + timedelta(seconds=15))
    world.settle()
    assert world.condition("JobCreated")["reason"] == Reason.JOB_FORBIDDEN
    assert world.plans[-1].slot is Slot.WAIT
    world.advance(20)
    world.settle()
    assert len(world.jobs) == 1


def test_the_place_in_the_queue_is_written_when_it_changes() -> None:
    world = World(admitted=False, position=7)
    world.settle()
    assert world.status["queue"] == {"position": 7, "estimatedStart": "2026-11-21T10:01:00Z"}
    world.advance(20)
    writes = world.writes
    world.settle()
    assert world.writes == writes
    world.position = 3
    world.settle()
    assert world.status["queue"]["position"] == 3


def test_a_pod_that_cannot_be_scheduled_says_so_and_times_out() -> None:
    world = World(classes={"image": a_class(deadlines={"startSeconds": 60}, retry={"limit": 0})})
    world.settle()
    pod = world.pod()
    pod["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes have a free GPU"}
    ]
    world.settle()
    assert world.condition("Running")["message"] == "0/3 nodes have a free GPU"
    world.advance(61)
    world.settle()
    assert world.status["attempts"][0]["reason"] == "Unschedulable"
    world.finish_deletions()
    world.settle()
    assert world.status["error"]["code"] == "Unschedulable"


def test_tasks_of_other_managers_and_deleted_ones_are_left_alone() -> None:
    assert World(task=a_task(managedBy="kueue")).reconcile() == Plan()
    world = World()
    world.task["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    assert world.reconcile() == Plan()


def test_uneventful_steps_of_a_start_are_not_written() -> None:
    world = World()
    world.settle()
    pod = world.pod()
    world.settle()
    pod["spec"]["nodeName"] = "node-1"
    world.settle()
    assert world.writes == 1


def test_a_callback_begins_with_the_terminal_status() -> None:
    world = World(task=a_task(callback={"url": "https://example.com/hook", "events": ["failed"]}))
    failing(world, 10)
    assert [(sent.number, sent.webhook_id) for sent in world.webhooks[:1]] == [(1, world.status["callback"]["id"])]
    assert world.status["callback"]["event"] == "task.failed"


def test_a_turn_and_data_are_asked_for_only_where_they_are_needed() -> None:
    world = World()
    seen = replace(world.observe(), turn=None, data=None)
    assert decide(seen, world.now).needs is Need.DATA
    seen = replace(seen, data={"prompt": "x"})
    assert decide(seen, world.now).needs is Need.TURN
    waiting = decide(replace(seen, turn=Turn(admitted=False, position=3)), world.now)
    assert (waiting.needs, waiting.slot) == (None, Slot.WAIT)
    failing(world, 75)
    assert decide(replace(world.observe(), turn=None, data=None), world.now).needs is None, "it pauses"
    world.advance(10)
    assert decide(replace(world.observe(), turn=None, data=None), world.now).needs is Need.TURN
    assert decide(replace(world.observe(), data=None), world.now).needs is Need.DATA


def test_the_news_of_a_created_job_waits_for_the_news_that_its_pod_runs() -> None:
    world, delay = World(), timedelta(seconds=4)
    plan = decide(world.observe(), world.now, Policy(delay))
    assert (plan.create is not None, plan.write, looks_again(plan)) == (True, None, [4])
    world.reconcile(write_lost=True)
    world.advance(3)
    plan = decide(world.observe(), world.now, Policy(delay))
    assert (plan.write, min(looks_again(plan))) == (None, 1)
    world.advance(1)
    assert decide(world.observe(), world.now, Policy(delay)).write is not None
    world.advance(-10)
    assert decide(world.observe(), world.now, Policy(delay)).write is not None, "our clock is behind the server's"


# ---- scheduled start

MONTH = 30 * 24 * 3600.0


def test_a_task_does_not_start_before_its_time() -> None:
    world = World(task=a_task(notBefore=rfc3339(START + timedelta(seconds=MONTH))))
    world.settle()
    waiting = world.condition("JobCreated")
    assert (world.phase, waiting["reason"], world.status["currentStep"]) == ("queued", "Scheduled", "scheduled")
    assert waiting["message"] == "Starts at 2026-12-21T10:00:00Z at the earliest."
    assert (world.plans[-1].then, world.plans[-1].slot) == ((RequeueAfter(MONTH),), Slot.NONE), "it stands in no queue"
    world.advance(MONTH - 1)
    assert world.reconcile().then == (RequeueAfter(1.0),), "also for an operator that has just started"
    world.advance(1)
    world.settle()
    assert len(world.jobs) == 1
    assert world.status["timings"]["queued"] == 0
    assert not world.status.get("error"), "the total deadline of a week counts from the start"


def test_a_scheduled_task_can_be_cancelled_and_keeps_its_time_when_it_is_retried() -> None:
    world = World(task=a_task(notBefore=rfc3339(START + timedelta(seconds=MONTH))))
    world.settle()
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    world.spec(cancel=False, retryRequest=1)
    world.settle()
    assert (world.phase, world.status["currentStep"], world.jobs) == ("queued", "scheduled", [])


def test_a_scheduled_task_with_invalid_data_fails_at_once() -> None:
    world = World(task=a_task(notBefore=rfc3339(START + timedelta(days=9))), data={"prompt": "x", "width": 10**6})
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "InvalidTaskData")


@pytest.mark.parametrize("moment", ["2027-11-24T10:00:00Z", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z"])
def test_a_start_that_is_too_far_away_or_no_time_fails_the_task(moment: str) -> None:
    world = World(task=a_task(notBefore=moment))
    world.settle()
    assert (world.phase, world.status["error"]["code"], world.jobs) == ("failed", "InvalidSchedule", [])


def test_a_start_in_the_past_is_none() -> None:
    world = World(task=a_task(notBefore="0001-01-01T00:00:00+23:59"))
    world.settle()
    assert len(world.jobs) == 1


# ---- webhooks delivered anew


def test_a_webhook_is_delivered_anew_where_that_is_asked_for() -> None:
    world = World(task=a_task(callback={"url": "https://example.com/hook"}), data={"prompt": "x", "width": 10**6})
    world.settle()
    (first,) = {send.webhook_id for send in world.webhooks}
    world.delivery = Delivery(first, 1, ok=True, status_code=200)
    world.settle()
    assert world.holds("CallbackDelivered")
    world.webhooks.clear()
    world.spec(redeliverRequest=1)
    world.settle()
    assert {(send.webhook_id, send.number) for send in world.webhooks} == {(first, 2)}
    assert world.condition("CallbackDelivered")["reason"] == "Redelivering"


# ---- logs


def test_the_log_of_each_attempt_is_kept_once_its_pod_has_ended() -> None:
    world = World(published=False)
    world.settle()
    first = world.start()
    world.settle()
    assert world.logs == set(), "it is written to"
    world.end(first, 75)
    world.settle()
    world.advance(60)
    world.settle()
    second = world.start()
    world.disrupt(second)
    world.end(second, 143)
    world.settle()
    names = [pod["metadata"]["name"] for pod in (first, second)]
    assert world.logs == {(1, names[0])}, "another pod takes the place of a disrupted one"


def test_the_log_of_a_cancelled_task_is_kept() -> None:
    world = World()
    pod = run_pod(world)
    world.spec(cancel=True)
    world.settle()
    assert world.logs == {(1, pod["metadata"]["name"])}


# ---- usage


def test_gpu_time_is_added_up_over_attempts_and_rounds() -> None:
    world = World(classes={"image": a_class(gpu={"count": 2})}, published=False)
    for round_ in (0, 1):
        world.settle()
        pod = world.start()
        world.settle()
        world.advance(10)
        world.end(pod, 10)
        world.settle()
        assert world.phase == "failed"
        assert world.status["cost"] == {"gpuSeconds": 20.0 * (round_ + 1)}
        world.spec(retryRequest=1)


def test_work_without_a_gpu_uses_none() -> None:
    world = World(classes={"image": a_class(gpu={"count": 0})})
    pod = run_pod(world)
    world.advance(10)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.phase == "completed"
    assert "cost" not in world.status


@pytest.mark.parametrize("cause", ["the class is gone", "its Job is refused"])
def test_who_waits_for_something_else_has_no_place_in_the_queue(cause: str) -> None:
    world = World(admitted=False)
    world.settle()
    assert world.status["queue"]["position"] == 1
    if cause == "the class is gone":
        world.classes = {}
    else:
        world.refusal = Refusal(1, 403, "exceeded quota", world.now + timedelta(seconds=15))
    world.settle()
    assert (world.phase, "queue" in world.status) == ("queued", False)
