"""The reconcile rule, told as stories: what happens in the cluster, and what the operator makes of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mediatask_common.times import rfc3339
from mediatask_crds.names import LABEL_ATTEMPT
from mediatask_crds.task import MediaTaskStatus
from mediatask_operator.deciding.observation import Delivery, NotPublished, Refusal, StoreAway, Turn
from mediatask_operator.deciding.plan import (
    CreateJob,
    DeleteJob,
    Need,
    PatchStatus,
    Plan,
    ReadResult,
    RequeueAfter,
    Slot,
)
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.reconcile import decide
from support.taskworld import LAST_WORDS, START, World, a_class, a_task


def failing(world: World, code: int) -> None:
    """The attempt starts, runs and ends with an exit code; the store has nothing of it."""
    world.published = False
    world.settle()
    world.end(world.start(), code)
    world.settle()


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
    world.settle()
    pod = world.start()
    world.settle()
    world.task["status"] |= {"progress": 0.4, "currentStep": "rendering_video"}
    pod["metadata"]["deletionTimestamp"] = "2026-11-21T10:05:00Z"
    world.settle()
    assert (world.status["progress"], world.status["currentStep"]) == (0.4, "rendering_video")


def test_the_job_of_the_result_is_left_to_itself_and_others_are_stopped() -> None:
    world = World()
    world.settle()
    pod = world.start()
    world.settle()
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.phase == "completed"
    world.start(pod)  # late news, of before its end
    world.settle()
    assert "deletionTimestamp" not in world.jobs[0]["metadata"]
    stray = copy.deepcopy(world.jobs[0])
    stray["metadata"] |= {"name": "stray", "uid": "stray", "labels": stray["metadata"]["labels"] | {LABEL_ATTEMPT: "2"}}
    world.jobs.append(stray)
    world.settle()
    assert "deletionTimestamp" in stray["metadata"]


def test_a_failed_attempt_is_followed_by_another_after_a_pause() -> None:
    world = World()
    failing(world, 137)
    first = world.status["attempts"][0]
    assert (first["reason"], first["exitCode"], first["counts"]) == ("Killed", 137, True)
    assert world.phase == "queued"
    assert world.condition("Running")["reason"] == Reason.WAITING_FOR_RETRY
    assert len(world.jobs) == 1
    assert any(isinstance(action, RequeueAfter) and action.seconds <= 3 for action in world.plans[-1].actions)
    world.advance(3)
    world.settle()
    assert [attempt["number"] for attempt in world.status["attempts"]] == [1, 2]
    assert len(world.jobs) == 2
    assert world.status["progress"] == 0.0


def test_the_start_of_a_task_is_that_of_its_first_attempt() -> None:
    world = World()
    failing(world, 137)
    world.advance(10)
    world.settle()
    world.start()
    world.settle()
    assert (world.status["attempt"], world.status["startedAt"]) == (2, "2026-11-21T10:00:00Z")


def test_a_retry_begins_at_the_end_of_its_pause() -> None:
    world = World()
    failing(world, 137)
    (pause,) = looks_again(world.plans[-1])
    world.advance(pause)
    world.settle()
    assert len(world.jobs) == 2


def test_the_retry_limit_ends_the_task_with_the_last_reason() -> None:
    world = World(classes={"image": a_class(retry={"limit": 1})})
    failing(world, 75)
    world.advance(10)
    failing(world, 75)
    assert world.phase == "failed"
    assert world.status["error"]["code"] == "TemporaryFailure"
    assert world.status["error"]["retryable"] is True
    assert world.holds("Stalled")
    assert len(world.jobs) == 2


@pytest.mark.parametrize(("code", "reason"), [(10, "InvalidInput"), (11, "UnsafeContent"), (12, "ModelMissing")])
def test_hopeless_ends_are_not_retried(code: int, reason: str) -> None:
    world = World()
    failing(world, code)
    assert world.phase == "failed"
    assert world.status["error"] == {"code": reason, "message": world.status["error"]["message"], "retryable": False}


@pytest.mark.parametrize(("code", "reason"), [(10, "InvalidInput"), (75, "TemporaryFailure")])
def test_a_fallback_class_is_for_gpu_memory_alone(code: int, reason: str) -> None:
    spec = a_class(fallbackClass="big", retry={"limit": 0})
    world = World(classes={"image": spec, "big": a_class(default=False)})
    failing(world, code)
    assert world.phase == "failed"
    assert (world.status["error"]["code"], world.status["error"]["retryable"]) == (reason, code == 75)


def test_gpu_memory_running_out_moves_to_the_fallback_class() -> None:
    world = World(
        classes={"image": a_class(fallbackClass="big"), "big": a_class(default=False), "zzz": a_class(default=False)}
    )
    failing(world, 20)
    world.advance(10)
    world.settle()
    assert world.status["className"] == "big"
    failing(world, 20)
    assert world.phase == "failed"
    assert world.status["error"]["code"] == "GpuOutOfMemory"


def test_a_gpu_fault_prefers_another_node() -> None:
    world = World()
    failing(world, 30)
    world.advance(10)
    world.settle()
    affinity = world.jobs[-1]["spec"]["template"]["spec"]["affinity"]
    assert "node-1" in str(affinity)


def test_preemption_spends_no_retry() -> None:
    world = World(classes={"image": a_class(retry={"limit": 0})})
    failing(world, 143)
    assert world.status["attempts"][0]["counts"] is False
    world.advance(10)
    world.settle()
    assert world.phase == "queued"
    assert len(world.jobs) == 2


def test_endless_disruption_is_given_up() -> None:
    world = World()
    for _ in range(21):
        failing(world, 143)
        world.advance(400)
    assert world.phase == "failed"
    assert world.status["error"]["code"] == "TooManyDisruptions"


def test_a_result_that_was_published_before_the_pod_was_lost_counts() -> None:
    world = World(published=True)
    world.settle()
    world.end(world.start(), 137)
    world.settle()
    assert world.phase == "completed"
    assert len(world.jobs) == 1


def test_a_good_end_without_a_result_is_a_failure() -> None:
    world = World()
    failing(world, 0)
    (attempt,) = world.status["attempts"]
    assert (attempt["reason"], attempt["counts"], attempt["retryable"]) == ("NoResult", True, True)
    assert world.phase == "queued"


def test_a_store_that_is_away_leaves_nothing_running_in_the_status() -> None:
    world = World()
    world.settle()
    pod = world.start()
    world.settle()
    world.end(pod, 0, message=LAST_WORDS)
    world.proof = StoreAway("no route")
    plan = world.reconcile()
    assert world.condition("Running")["reason"] == Reason.READING_RESULT
    assert world.phase == "queued"
    assert any(isinstance(action, ReadResult) and action.after_seconds for action in plan.actions)
    world.settle()
    assert world.phase == "completed"


@pytest.mark.parametrize(("waited", "pause"), [(0, 5), (16, 5), (40, 10), (1000, 60), (-600, 5)])
def test_a_store_that_stays_away_is_asked_ever_less_often(waited: float, pause: float) -> None:
    """The node's clock, which tells the end, may also be ahead of ours."""
    world = World()
    world.settle()
    pod = world.start()
    world.settle()
    world.end(pod, 0, message=LAST_WORDS)
    world.advance(waited)
    world.proof = StoreAway("no route")
    [again] = [action for action in world.reconcile().actions if isinstance(action, ReadResult)]
    assert again.after_seconds == pause


def test_cancelling_waits_until_the_pod_is_gone() -> None:
    world = World()
    world.settle()
    world.start()
    world.settle()
    world.spec(cancel=True)
    plan = world.reconcile()
    assert [type(action) for action in plan.actions if isinstance(action, DeleteJob)] == [DeleteJob]
    assert world.pods[0]["metadata"]["deletionGracePeriodSeconds"] == 5
    assert not world.holds("Cancelled")
    assert world.condition("Reconciling")["reason"] == Reason.CANCELLING
    world.settle()
    world.finish_deletions()
    world.settle()
    assert world.phase == "cancelled"
    assert world.status["attempts"][0]["reason"] == "Cancelled"
    assert len(world.jobs) == 0


def test_cancelling_a_queued_task_needs_no_job() -> None:
    world = World(admitted=False)
    world.settle()
    assert world.status["queue"]["position"] == 1
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    assert "queue" not in world.status
    assert not world.jobs


def test_cancelling_a_finished_task_changes_nothing_but_the_generation() -> None:
    world = World()
    failing(world, 10)
    before = dict(world.status)
    world.spec(cancel=True)
    world.settle()
    assert world.status == {**before, "observedGeneration": 2}


def test_a_result_wins_over_a_cancel_that_came_after_it() -> None:
    world = World()
    world.settle()
    pod = world.start()
    world.end(pod, 0, message=LAST_WORDS)
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "completed"


def test_a_retry_begins_a_new_round_and_attempts_go_on_counting() -> None:
    world = World()
    failing(world, 10)
    world.spec(retryRequest=1)
    world.settle()
    assert world.phase == "queued"
    assert not world.holds("Failed")
    assert "error" not in world.status
    assert "completedAt" not in world.status
    assert [(a["number"], a["round"]) for a in world.status["attempts"]] == [(1, 0), (2, 1)]


def test_a_retry_has_a_total_deadline_of_its_own() -> None:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 1000})})
    failing(world, 10)
    world.advance(5000)
    world.spec(retryRequest=1)
    world.settle()
    assert world.phase == "queued"
    world.advance(1000)
    world.settle()
    assert world.condition("Running")["reason"] == Reason.STOPPING_OLD_JOB
    world.finish_deletions()
    world.settle()
    assert world.status["error"]["code"] == "TotalDeadlineExceeded"


def test_a_job_created_before_a_crash_is_taken_up() -> None:
    world = World()
    world.reconcile(write_lost=True)
    assert not world.status
    assert len(world.jobs) == 1
    world.advance(5)
    world.settle()
    assert len(world.jobs) == 1
    assert world.status["timings"]["queued"] == 0.0, "its Job was there at once"
    assert world.status["attempt"] == 1
    assert world.holds("JobCreated")


def test_an_attempt_is_not_made_twice_though_its_job_went_before_the_status_spoke_of_it() -> None:
    world = World(published=False)
    world.reconcile(write_lost=True)
    pod = world.start()
    world.jobs.clear()
    world.end(pod, 143)
    world.remove_pod(pod)
    world.settle()
    assert world.jobs == []
    assert [(attempt["number"], attempt["reason"]) for attempt in world.status["attempts"]] == [(1, "Preempted")]
    world.advance(10)
    world.settle()
    assert world.status["attempt"] == 2


@pytest.mark.parametrize("later", [{}, {"animation": a_class()}])
def test_an_attempt_that_is_taken_up_is_of_the_class_that_its_job_was_made_for(later: dict[str, Any]) -> None:
    world = World()
    world.reconcile(write_lost=True)
    world.classes = later
    world.start()
    world.settle()
    assert world.phase == "processing"
    assert world.holds("Accepted")
    assert world.status["className"] == "image"


def test_an_attempt_that_is_taken_up_has_its_classs_whole_name() -> None:
    name = "x" * 100
    world = World(classes={name: a_class()})
    world.reconcile(write_lost=True)
    world.settle()
    assert world.status["className"] == name


def test_a_job_deleted_by_hand_is_recorded_and_replaced() -> None:
    world = World(published=False)
    world.settle()
    pod = world.start()
    world.settle()
    world.delete_job(world.jobs[0]["metadata"]["name"])
    world.remove_pod(pod)
    world.collect()
    world.settle()
    assert world.status["attempts"][0]["reason"] == "PodDeleted"
    world.jobs.clear()
    world.advance(10)
    world.settle()
    assert len(world.status["attempts"]) == 2


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


def test_no_job_is_created_in_the_pass_that_records_an_end() -> None:
    world = World(published=False)
    world.settle()
    pod = world.start()
    world.end(pod, 75)
    world.advance(3600)
    world.reconcile()
    plan = world.reconcile()
    assert any(isinstance(action, PatchStatus) for action in plan.actions)
    assert not any(isinstance(action, CreateJob) for action in plan.actions)


def test_cancelling_ends_a_task_whose_result_cannot_be_read() -> None:
    world = World()
    world.settle()
    world.end(world.start(), 0, message=LAST_WORDS)
    world.proof = StoreAway("no route")
    world.reconcile()
    world.spec(cancel=True)
    world.proof = StoreAway("no route")
    world.settle()
    assert world.phase == "cancelled"


def test_the_total_deadline_ends_a_task_whose_result_cannot_be_read() -> None:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 100})})
    world.settle()
    world.end(world.start(), 0, message=LAST_WORDS)
    world.proof = StoreAway("no route")
    plan = world.reconcile()
    assert any(isinstance(action, RequeueAfter) and action.seconds == 100 for action in plan.actions)
    world.advance(100)
    world.proof = StoreAway("no route")
    world.settle()
    assert world.status["error"]["code"] == "TotalDeadlineExceeded"
    assert "no route" in world.status["attempts"][0]["message"]


def test_a_running_task_is_processing_until_its_cancellation_has_stopped_it() -> None:
    world = World()
    world.settle()
    world.start()
    world.advance(10)
    world.settle()
    began = world.condition("Running")["lastTransitionTime"]
    world.task["status"]["progress"] = 0.19
    world.advance(10)
    world.spec(cancel=True)
    world.settle()
    assert (world.phase, world.status["progress"]) == ("processing", 0.19)
    assert (world.condition("Running")["status"], world.condition("Running")["lastTransitionTime"]) == ("True", began)
    world.finish_deletions()
    world.settle()
    assert (world.phase, world.status["progress"]) == ("cancelled", 0.19)
    assert not world.holds("Running")


def test_a_success_spends_no_retry_and_says_why_nothing_runs() -> None:
    world = World()
    world.settle()
    world.end(world.start(), 0, message=LAST_WORDS)
    world.settle()
    (attempt,) = world.status["attempts"]
    assert not attempt.keys() & {"counts", "retryable"}
    assert world.condition("Running")["message"]


def test_moving_to_the_fallback_class_spends_no_retry() -> None:
    world = World(classes={"image": a_class(fallbackClass="big", retry={"limit": 0}), "big": a_class(default=False)})
    failing(world, 20)
    assert world.status["attempts"][0]["counts"] is False
    world.advance(10)
    world.settle()
    assert world.status["className"] == "big"


def test_a_jobs_long_words_fit_into_the_status() -> None:
    world = World()
    world.proof = NotPublished(Reason.ARTIFACT_MISSING, f"{'k' * 3000} is not in the store")
    world.settle()
    world.end(world.start(), 0)
    world.proof = NotPublished(Reason.ARTIFACT_MISSING, f"{'k' * 3000} is not in the store")
    world.settle()
    MediaTaskStatus.model_validate(world.status)
    assert world.status["attempts"][0]["message"].endswith("…")


def test_a_status_that_the_server_does_not_take_is_replaced_by_a_short_failure() -> None:
    world = World()
    world.settle()
    pod = world.start()
    world.settle()
    world.unwritable = "status.result: Invalid value"
    world.settle()
    world.unwritable = None
    assert (world.phase, world.status["error"]["code"]) == ("failed", "StatusRejected")
    assert "status.result" in world.status["error"]["message"]
    assert world.status["attempts"][0]["reason"] == "StatusRejected"
    assert "deletionTimestamp" in pod["metadata"]
    world.spec(retryRequest=1)
    world.finish_deletions()
    world.settle()
    assert len(world.status["attempts"]) == 2


def looks_again(plan: Plan) -> list[float]:
    return [action.seconds for action in plan.actions if isinstance(action, RequeueAfter)]


def test_the_total_deadline_counts_from_the_creation_though_the_class_came_later() -> None:
    world = World(task=a_task(deadlines={"totalSeconds": 100}), classes={})
    world.settle()
    world.advance(60)
    world.classes["image"] = a_class()
    world.settle()
    world.start()
    world.advance(40)
    world.settle()
    world.finish_deletions()
    world.settle()
    assert world.status["error"]["code"] == "TotalDeadlineExceeded"


def test_what_is_being_stopped_is_looked_at_again_after_a_while() -> None:
    world = World()
    world.settle()
    world.start()
    world.settle()
    world.spec(cancel=True)
    assert looks_again(world.reconcile()) == [30]


def test_the_total_deadline_ends_an_attempt_that_runs() -> None:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 100})})
    world.settle()
    world.advance(20)
    pod = world.start()
    plan = world.reconcile()
    assert looks_again(plan) == [80], "the deadline is looked at, though nothing may happen until then"
    world.advance(79)
    world.settle()
    assert world.phase == "processing"
    world.advance(1)
    world.settle()
    assert world.status["attempts"][0]["reason"] == "TotalDeadlineExceeded"
    assert "deletionTimestamp" in pod["metadata"]
    world.finish_deletions()
    world.settle()
    assert world.status["error"]["code"] == "TotalDeadlineExceeded"


def test_a_nodes_clock_that_is_ahead_does_not_lengthen_the_pause() -> None:
    world = World(published=False)
    world.settle()
    pod = world.start()
    world.end(pod, 75)
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = "2026-11-21T12:00:00Z"
    world.settle()
    assert max(looks_again(world.plans[-1])) <= 3
    world.now += timedelta(hours=2, seconds=3)
    world.settle()
    assert world.status["attempt"] == 2


def test_what_runs_of_a_failed_task_is_stopped_though_it_is_its_last_attempt() -> None:
    world = World()
    failing(world, 10)
    assert world.phase == "failed"
    late = world.start(world.pod())
    world.settle()
    assert "deletionTimestamp" in late["metadata"]


def test_what_runs_of_an_earlier_attempt_is_stopped() -> None:
    world = World()
    failing(world, 75)
    world.advance(10)
    world.settle()
    own, stray = world.start(), world.start(world.pod(world.jobs[0]))
    world.settle()
    assert world.status["attempt"] == 2
    assert "deletionTimestamp" in stray["metadata"]
    assert "deletionTimestamp" not in own["metadata"]


def test_a_task_without_a_class_is_looked_at_when_its_time_is_over() -> None:
    world = World(task=a_task(deadlines={"totalSeconds": 50}), classes={})
    world.settle()
    assert looks_again(world.plans[-1]) == [50]
    world.advance(50)
    world.settle()
    assert world.status["error"]["code"] == "TotalDeadlineExceeded"


def test_a_task_that_pauses_holds_no_slot() -> None:
    world = World()
    failing(world, 75)
    assert world.condition("Running")["reason"] == Reason.WAITING_FOR_RETRY
    assert world.plans[-1].slot is Slot.NONE


def test_a_job_whose_disrupted_pod_may_be_replaced_is_still_at_work() -> None:
    world = World()
    world.settle()
    pod = world.start()
    world.settle()
    world.disrupt(pod)
    world.end(pod, 137)
    world.spec(cancel=True)
    world.reconcile()
    assert not world.holds("Cancelled")
    world.finish_deletions()
    world.settle()
    assert world.phase == "cancelled"


def test_a_stalled_task_that_is_cancelled_is_stalled_no_more() -> None:
    world = World(classes={})
    world.settle()
    assert world.holds("Stalled")
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    assert not world.condition("Stalled")


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
    plan = decide(world.observe(), world.now, delay)
    assert (plan.create is not None, plan.write, looks_again(plan)) == (True, None, [4])
    world.reconcile(write_lost=True)
    world.advance(3)
    plan = decide(world.observe(), world.now, delay)
    assert (plan.write, min(looks_again(plan))) == (None, 1)
    world.advance(1)
    assert decide(world.observe(), world.now, delay).write is not None
    world.advance(-10)
    assert decide(world.observe(), world.now, delay).write is not None, "our clock is behind the server's"


def test_a_disrupted_pods_replacement_is_waited_for_until_the_total_deadline() -> None:
    world = World(task=a_task(deadlines={"totalSeconds": 100}))
    world.settle()
    pod = world.start()
    world.settle()
    world.disrupt(pod)
    world.end(pod, 143)
    world.advance(40)
    plan = world.reconcile()
    assert world.condition("Running")["reason"] == Reason.REPLACING_POD
    assert RequeueAfter(60.0) in plan.actions


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
    world.settle()
    pod = world.start()
    world.settle()
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
    world.settle()
    pod = world.start()
    world.settle()
    world.advance(10)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.phase == "completed"
    assert "cost" not in world.status
