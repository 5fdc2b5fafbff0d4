"""The reconcile rule: cancellation, deadlines, results that cannot be read, and that nothing runs on."""

from __future__ import annotations

import copy

import pytest

from mediatask_crds.names import LABEL_ATTEMPT
from mediatask_crds.task import MediaTaskStatus
from mediatask_operator.deciding.observation import NotPublished, Refusal, StoreAway
from mediatask_operator.deciding.plan import (
    DeleteJob,
    ReadResult,
    RequeueAfter,
)
from mediatask_operator.deciding.reasons import Reason
from support.taskworld import LAST_WORDS, World, a_class, a_task, failing, looks_again, run_pod


def test_the_job_of_the_result_is_left_to_itself_and_others_are_stopped() -> None:
    world = World()
    pod = run_pod(world)
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


def test_a_result_that_was_published_before_the_pod_was_lost_counts() -> None:
    world = World(published=True)
    world.settle()
    world.end(world.start(), 137)
    world.settle()
    assert world.phase == "completed"
    assert len(world.jobs) == 1


def test_while_the_store_is_away_nothing_runs_and_the_task_is_not_queued_again() -> None:
    world = World()
    pod = run_pod(world)
    world.end(pod, 0, message=LAST_WORDS)
    world.proof = StoreAway("no route")
    plan = world.reconcile()
    assert (world.holds("Running"), world.condition("Running")["reason"]) == (False, Reason.READING_RESULT)
    assert world.phase == "processing"
    assert any(isinstance(action, ReadResult) and action.after_seconds for action in plan.actions)
    world.settle()
    assert world.phase == "completed"


@pytest.mark.parametrize("cancel", [True, False])
def test_whoever_gives_up_a_store_that_is_away_knows_how_long_the_container_ran(cancel: bool) -> None:
    world = World(classes={"image": a_class(gpu={"count": 1}, deadlines={"totalSeconds": 600})})
    pod = run_pod(world)
    world.advance(20)
    world.end(pod, 0, message=LAST_WORDS)
    world.proof = StoreAway("no route")
    world.reconcile()
    world.advance(1000)
    world.proof = StoreAway("no route")
    world.spec(cancel=cancel)
    world.settle()
    (attempt,) = world.status["attempts"]
    assert (attempt["endedAt"], attempt["exitCode"]) == ("2026-11-21T10:00:20Z", 0)
    assert world.status["cost"] == {"gpuSeconds": 20.0}
    assert world.condition("Running")["reason"] == ("Cancelled" if cancel else "TotalDeadlineExceeded")


@pytest.mark.parametrize(("waited", "pause"), [(0, 5), (16, 5), (40, 10), (1000, 60), (-600, 5)])
def test_a_store_that_stays_away_is_asked_ever_less_often(waited: float, pause: float) -> None:
    """The node's clock, which tells the end, may also be ahead of ours."""
    world = World()
    pod = run_pod(world)
    world.end(pod, 0, message=LAST_WORDS)
    world.advance(waited)
    world.proof = StoreAway("no route")
    [again] = [action for action in world.reconcile().actions if isinstance(action, ReadResult)]
    assert again.after_seconds == pause


def test_cancelling_waits_until_the_pod_is_gone() -> None:
    world = World()
    run_pod(world)
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
    pod = run_pod(world)
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
    run_pod(world)
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


def test_a_stalled_task_that_is_cancelled_is_stalled_no_more() -> None:
    world = World(classes={})
    world.settle()
    assert world.holds("Stalled")
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    assert not world.condition("Stalled")


def test_a_cancel_takes_precedence_over_a_container_that_failed() -> None:
    world = World()
    pod = run_pod(world)
    world.end(pod, 137)
    world.spec(cancel=True)
    world.settle()
    assert world.phase == "cancelled"
    assert not any(isinstance(action, ReadResult) for plan in world.plans for action in plan.actions)


def test_a_result_that_is_found_after_the_total_deadline_counts() -> None:
    world = World(classes={"image": a_class(deadlines={"totalSeconds": 600})})
    pod = run_pod(world)
    world.advance(500)
    world.end(pod, 0, message=LAST_WORDS)
    world.advance(500)
    world.settle()
    assert world.phase == "completed"


@pytest.mark.parametrize(
    ("status", "accepted"), [(409, "True"), (422, "False")], ids=["its name is taken", "it is invalid"]
)
def test_a_job_that_is_refused_for_good_is_a_fault_of_the_request_or_not(status: int, accepted: str) -> None:
    world = World(admitted=False)
    world.settle()
    world.admitted = True
    world.refusal = Refusal(1, status, "no", world.now)
    world.settle()
    assert world.phase == "failed"
    assert world.condition("Accepted")["status"] == accepted
    assert world.status["error"]["retryable"] is (status == 409)


def test_a_request_that_turns_out_to_be_wrong_is_accepted_no_more() -> None:
    world = World(admitted=False)
    world.settle()
    assert world.holds("Accepted")
    world.data = {"width": "wide"}
    world.settle()
    assert (world.phase, world.condition("Accepted")["reason"]) == ("failed", "InvalidTaskData")
    assert not world.holds("Accepted")


def test_what_has_never_run_does_not_run_while_it_is_being_cancelled() -> None:
    world = World()
    world.settle()
    world.pod()
    world.settle()
    world.spec(cancel=True)
    world.reconcile()
    assert (world.holds("Running"), world.phase) == (False, "queued")
    world.finish_deletions()
    world.settle()
    assert world.phase == "cancelled"
