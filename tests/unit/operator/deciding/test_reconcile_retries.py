"""The reconcile rule: how attempts fail, and what follows them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mediatask_crds.podcontract import ExitCode
from mediatask_operator.deciding.observation import Refusal
from mediatask_operator.deciding.plan import (
    CreateJob,
    PatchStatus,
    RequeueAfter,
    Slot,
)
from mediatask_operator.deciding.reasons import Reason
from support.taskworld import LAST_WORDS, World, a_class, a_task, failing, looks_again, run_pod


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
    run_pod(world)
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


def test_a_good_end_without_a_result_is_a_failure() -> None:
    world = World()
    failing(world, 0)
    (attempt,) = world.status["attempts"]
    assert (attempt["reason"], attempt["counts"], attempt["retryable"]) == ("NoResult", True, True)
    assert world.phase == "queued"


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


def test_a_task_that_pauses_holds_no_slot() -> None:
    world = World()
    failing(world, 75)
    assert world.condition("Running")["reason"] == Reason.WAITING_FOR_RETRY
    assert world.plans[-1].slot is Slot.NONE


def test_a_job_whose_disrupted_pod_may_be_replaced_is_still_at_work() -> None:
    world = World()
    pod = run_pod(world)
    world.disrupt(pod)
    world.end(pod, 137)
    world.spec(cancel=True)
    world.reconcile()
    assert not world.holds("Cancelled")
    world.finish_deletions()
    world.settle()
    assert world.phase == "cancelled"


def test_a_disrupted_pods_replacement_is_waited_for_until_the_total_deadline() -> None:
    world = World(task=a_task(deadlines={"totalSeconds": 100}))
    pod = run_pod(world)
    world.disrupt(pod)
    world.end(pod, 143)
    world.advance(40)
    plan = world.reconcile()
    assert world.condition("Running")["reason"] == Reason.REPLACING_POD
    assert RequeueAfter(60.0) in plan.actions


def test_a_retry_is_for_tasks_that_failed_or_were_cancelled() -> None:
    world = World()
    world.settle()
    world.end(world.start(), 0, message=LAST_WORDS)
    world.settle()
    world.spec(retryRequest=1)
    world.settle()
    assert (world.phase, world.status["round"], len(world.jobs)) == ("completed", 0, 1)


def test_a_refusal_holds_up_its_own_attempt_only() -> None:
    world = World()
    world.refusal = Refusal(7, 403, "exceeded quota", world.now + timedelta(seconds=15))
    world.settle()
    assert len(world.jobs) == 1


def test_a_gpu_that_failed_nowhere_in_particular_is_not_avoided() -> None:
    world = World(published=False)
    world.settle()
    pod = world.start()
    del pod["spec"]["nodeName"]
    world.end(pod, ExitCode.GPU_FAULT)
    world.settle()
    world.advance(10)
    world.settle()
    created = [action for plan in world.plans for action in plan.actions if isinstance(action, CreateJob)]
    assert [action.avoid_nodes for action in created] == [(), ()]


def test_gpu_memory_that_runs_out_while_the_class_is_gone_fails_the_task() -> None:
    world = World(classes={"image": a_class(fallbackClass="big")}, published=False)
    pod = run_pod(world)
    world.classes = {}
    world.end(pod, ExitCode.GPU_OUT_OF_MEMORY)
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "GpuOutOfMemory")
