"""Every way an attempt can end, and what it means: the reason, whether it spends a retry, whether another may help."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from mediatask_common.times import rfc3339
from mediatask_crds import names
from mediatask_crds.podcontract import JobError, TerminationMessage
from mediatask_operator.deciding.attempts import Ended, Limits, Live, backoff, ends_for_good, is_settled, judge
from mediatask_operator.deciding.reasons import Reason
from support.taskworld import RESULT, World

LIMITS = Limits(start=timedelta(seconds=900), run=timedelta(seconds=3600))
EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
SCHEDULED = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}


@pytest.fixture
def world() -> World:
    world = World(published=False)
    world.reconcile()
    return world


def verdict(world: World) -> Live | Ended:
    return judge(world.jobs[0] if world.jobs else None, world.pods, LIMITS, world.now)


def ended(world: World) -> Ended:
    found = verdict(world)
    assert isinstance(found, Ended)
    return found


@pytest.mark.parametrize(
    ("code", "container_reason", "reason", "counts", "retryable"),
    [
        (10, "Error", "InvalidInput", True, False),
        (11, "Error", "UnsafeContent", True, False),
        (12, "Error", "ModelMissing", True, False),
        (20, "Error", "GpuOutOfMemory", True, False),
        (30, "Error", "GpuFault", True, True),
        (75, "Error", "TemporaryFailure", True, True),
        (143, "Error", "Preempted", False, True),
        (137, "OOMKilled", "OutOfMemory", True, True),
        (137, "Error", "Killed", True, True),
        (137, "ContainerStatusUnknown", "NodeLost", False, True),
        (139, "Error", "Killed", True, True),
        (1, "Error", "ContainerFailed", True, True),
        (128, "StartError", "ContainerFailed", True, True),
    ],
)
def test_exit_codes(world: World, code: int, container_reason: str, reason: str, counts: bool, retryable: bool) -> None:
    world.end(world.start(), code, reason=container_reason)
    found = ended(world)
    assert (found.reason, found.counts, found.retryable, found.exit_code) == (reason, counts, retryable, code)
    assert found.message


def test_success_of_any_pod_is_the_success_of_the_attempt(world: World) -> None:
    world.end(world.start(), 0)
    world.start(world.pod())
    assert ended(world).success


def test_the_job_may_name_a_better_reason(world: World) -> None:
    error = JobError(code="InputUnreachable", message="https://example.com/a.png: 404", retryable=False)
    world.end(world.start(), 10, message=TerminationMessage(error=error).model_dump_json())
    assert (ended(world).reason, ended(world).message) == ("InputUnreachable", "https://example.com/a.png: 404")


@pytest.mark.parametrize("code", ["not a reason", "<script>", "x" * 100, ""])
def test_but_not_just_anything(world: World, code: str) -> None:
    error = JobError(code=code, message="m", retryable=False)
    world.end(world.start(), 10, message=TerminationMessage(error=error).model_dump_json())
    assert ended(world).reason == "InvalidInput"


def test_plain_last_words_become_the_message(world: World) -> None:
    world.end(world.start(), 1, message="Segmentation fault\n")
    assert ended(world).message == "Segmentation fault"


@pytest.mark.parametrize(
    ("status", "reason", "counts"),
    [
        (EVICTED, "Evicted", False),
        ({"phase": "Failed", "reason": "NodeLost"}, "NodeLost", False),
        ({"phase": "Failed", "reason": "NodeShutdown"}, "Preempted", False),
        ({"phase": "Failed", "reason": "Shutdown"}, "Preempted", False),
        ({"phase": "Failed", "reason": "Terminated"}, "Preempted", False),
        ({"phase": "Failed", "reason": "Preempting"}, "Preempted", False),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no GPU"}, "NodeRefused", False),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, "RunDeadlineExceeded", True),
    ],
)
def test_pods_that_end_without_a_container(world: World, status: dict[str, Any], reason: str, counts: bool) -> None:
    world.start()["status"] = status
    found = ended(world)
    assert (found.reason, found.counts) == (reason, counts)
    assert found.message == status.get("message", Reason(reason).sentence)


def test_a_disrupted_pod_is_replaced_within_the_attempt(world: World) -> None:
    pod = world.start()
    world.disrupt(pod)
    world.end(pod, 143)
    found = verdict(world)
    assert isinstance(found, Live)
    assert (found.running, found.reason) == (False, Reason.REPLACING_POD)
    world.start(world.pod())
    found = verdict(world)
    assert isinstance(found, Live)
    assert found.running


def test_unless_the_job_has_failed(world: World) -> None:
    pod = world.start()
    world.disrupt(pod)
    world.end(pod, 137)
    world.fail_job(world.jobs[0])
    assert (ended(world).reason, ended(world).counts) == ("Preempted", False)


def test_a_pod_deleted_while_it_ran(world: World) -> None:
    world.remove_pod(world.start())
    assert (ended(world).reason, ended(world).counts) == ("PodDeleted", True)


def test_a_pod_that_is_gone_says_why_it_had_to_go(world: World) -> None:
    pod = world.start()
    world.disrupt(pod)
    world.remove_pod(pod)
    world.jobs.clear()
    found = ended(world)
    assert (found.reason, found.counts, found.message) == ("Preempted", False, "PreemptionByScheduler: made room")


def test_a_pod_that_was_evicted_after_its_container_had_started_keeps_that_reason(world: World) -> None:
    pod = world.start()
    world.disrupt(pod, "TerminationByKubelet")
    world.end(pod, 137)
    pod["status"]["reason"] = "Evicted"
    world.fail_job(world.jobs[0])
    assert (ended(world).reason, ended(world).counts) == ("Evicted", False)


def test_a_disrupted_pod_of_a_job_that_is_gone_has_ended(world: World) -> None:
    pod = world.start()
    world.disrupt(pod)
    world.end(pod, 137)
    world.jobs.clear()
    assert (ended(world).reason, ended(world).counts) == ("Preempted", False)


def test_a_job_that_is_being_deleted_gets_no_pod_any_more(world: World) -> None:
    world.jobs[0]["metadata"]["deletionTimestamp"] = rfc3339(world.now)
    assert ended(world).reason == "JobDeleted"


def test_last_words_without_an_error_leave_the_exit_codes_reason(world: World) -> None:
    world.end(world.start(), 75, message=TerminationMessage(result_key="k").model_dump_json(exclude_none=True))
    assert (ended(world).reason, ended(world).report is not None) == ("TemporaryFailure", True)


def test_the_time_of_scheduling_is_that_of_the_condition_that_holds(world: World) -> None:
    pod = world.pod()
    condition = {"type": "PodScheduled", "status": "False", "lastTransitionTime": rfc3339(world.now)}
    pod["status"] = {"phase": "Pending", "conditions": [condition]}
    found = verdict(world)
    assert isinstance(found, Live)
    assert found.scheduled_at is None


@pytest.mark.parametrize(
    ("why", "reason"), [("Unschedulable", "Unschedulable"), ("SchedulerError", "StartDeadlineExceeded")]
)
def test_a_pod_that_found_no_node_in_time_says_why(world: World, why: str, reason: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": why, "message": "0/3 nodes are available"}
    world.pod()["status"] = {"phase": "Pending", "conditions": [condition]}
    world.advance(900)
    found = ended(world)
    assert (found.reason, found.retryable, found.message) == (reason, True, "0/3 nodes are available")


def test_a_pod_that_did_not_start_in_time_says_how_long_it_was_waited_for(world: World) -> None:
    world.pod()["spec"]["nodeName"] = "node-1"
    world.advance(900)
    assert ended(world).message == "It waited for the allowed 900 s."


@pytest.mark.parametrize(
    ("disrupted", "gone", "for_good"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_a_pod_ends_for_good_where_no_other_takes_its_place(
    world: World, disrupted: bool, gone: bool, for_good: bool
) -> None:
    pod = world.start()
    assert not ends_for_good(pod)
    world.end(pod, 137)
    if disrupted:
        world.disrupt(pod)
    pod["gone"] = gone
    assert ends_for_good(pod) is for_good


def test_a_pod_deleted_before_its_container_started(world: World) -> None:
    pod = world.start()
    pod["metadata"]["deletionTimestamp"] = rfc3339(world.now)
    world.end(pod, 137, reason="ContainerStatusUnknown")
    assert (ended(world).reason, ended(world).counts) == ("PodDeleted", True)
    pod["status"] = {"phase": "Failed"}
    assert (ended(world).reason, ended(world).counts) == ("PodDeleted", True)


def test_a_pod_that_does_not_go_is_on_a_lost_node(world: World) -> None:
    pod = world.start()
    world.delete_job(world.jobs[0]["metadata"]["name"])
    world.advance(60)
    assert isinstance(verdict(world), Live)
    world.advance(31)
    assert (ended(world).reason, ended(world).counts) == ("NodeLost", False)
    assert pod["metadata"]["deletionTimestamp"]


def test_a_job_that_is_gone(world: World) -> None:
    world.jobs.clear()
    assert ended(world).reason == "JobDeleted"


@pytest.mark.parametrize(
    ("job_reason", "reason"), [("DeadlineExceeded", "RunDeadlineExceeded"), ("BackoffLimitExceeded", "JobFailed")]
)
def test_a_failed_job_whose_pods_are_gone(world: World, job_reason: str, reason: str) -> None:
    world.fail_job(world.jobs[0], job_reason)
    assert ended(world).reason == reason


def test_a_complete_job_whose_pods_are_gone_has_its_result_in_the_store(world: World) -> None:
    world.jobs[0]["status"] = {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}
    assert ended(world).success


@pytest.mark.parametrize(
    ("waiting", "seconds", "reason", "retryable"),
    [
        ("ErrImageNeverPull", 0, "ImagePullFailed", False),
        ("InvalidImageName", 0, "ImagePullFailed", False),
        ("ImagePullBackOff", 300, "ImagePullFailed", True),
        ("CreateContainerConfigError", 300, "ContainerConfigInvalid", True),
        ("ContainerCreating", 900, "StartDeadlineExceeded", True),
    ],
)
def test_containers_that_do_not_start(world: World, waiting: str, seconds: int, reason: str, retryable: bool) -> None:
    pod = world.pod()
    pod["spec"]["nodeName"] = "node-1"
    world.waits(pod, waiting, "details")
    if seconds:
        world.advance(seconds - 1)
        found = verdict(world)
        assert isinstance(found, Live)
        assert found.look_again is not None
        world.now = found.look_again
    assert (ended(world).reason, ended(world).retryable, ended(world).may_have_result) == (reason, retryable, False)


def test_no_pod_at_all(world: World) -> None:
    assert isinstance(verdict(world), Live)
    world.advance(900)
    assert ended(world).reason == "StartDeadlineExceeded"


def test_the_run_deadline_counts_from_the_container(world: World) -> None:
    world.advance(600)
    world.start()
    world.advance(3599)
    assert isinstance(verdict(world), Live)
    world.advance(1)
    assert ended(world).reason == "RunDeadlineExceeded"


def test_sidecars_are_not_the_job(world: World) -> None:
    pod = world.start()
    pod["status"]["containerStatuses"].insert(0, {"name": "mesh", "state": {"terminated": {"exitCode": 0}}})
    found = verdict(world)
    assert isinstance(found, Live)
    assert pod["status"]["containerStatuses"][1]["name"] == names.CONTAINER


def test_backoff_grows_and_is_the_same_after_a_restart() -> None:
    pauses = [backoff("uid", n + 1, n).total_seconds() for n in range(1, 12)]
    assert 2 <= pauses[0] <= 2.4
    assert all(later >= earlier for earlier, later in itertools.pairwise(pauses[:7]))
    assert max(pauses) <= 360
    assert backoff("uid", 2, 1) == backoff("uid", 2, 1) != backoff("other", 2, 1)


@pytest.mark.parametrize(
    ("code", "asked"), [(10, False), (11, False), (12, False), (20, False), (30, True), (137, True)]
)
def test_the_store_is_asked_where_a_result_may_be_there(world: World, code: int, asked: bool) -> None:
    world.end(world.start(), code)
    assert ended(world).may_have_result is asked


def test_without_a_pod_there_is_no_result(world: World) -> None:
    world.advance(900)
    assert not ended(world).may_have_result


def test_no_patience_is_longer_than_the_start_deadline(world: World) -> None:
    world.waits(world.pod(), "ImagePullBackOff")
    short = Limits(start=timedelta(seconds=60), run=timedelta(seconds=3600))
    world.advance(59)
    found = judge(world.jobs[0], world.pods, short, world.now)
    assert isinstance(found, Live)
    assert found.look_again == world.now + timedelta(seconds=1)
    world.advance(1)
    assert isinstance(judge(world.jobs[0], world.pods, short, world.now), Ended)


def test_the_newest_pod_speaks_for_the_attempt(world: World) -> None:
    """Whatever order a list or a cache names the pods in."""
    first = world.start()
    world.end(first, 137)
    world.advance(5)
    world.start(world.pod())
    world.pods.reverse()
    found = verdict(world)
    assert isinstance(found, Live)
    assert found.running


def test_a_preempted_job_keeps_that_reason(world: World) -> None:
    error = JobError(code="InputUnreachable", message="stopped while it read an input", retryable=True)
    world.end(world.start(), 143, message=TerminationMessage(error=error).model_dump_json())
    assert (ended(world).reason, ended(world).counts) == ("Preempted", False)


@pytest.mark.parametrize("started", [True, False])
def test_a_pod_that_is_being_stopped_is_looked_at_when_it_had_to_be_gone(world: World, started: bool) -> None:
    pod = world.start() if started else world.pod()
    pod["metadata"]["deletionTimestamp"] = rfc3339(world.now + timedelta(seconds=30))
    found = verdict(world)
    assert isinstance(found, Live)
    assert found.look_again == world.now + timedelta(seconds=90)
    world.advance(90)
    assert ended(world).reason == Reason.NODE_LOST


@pytest.mark.parametrize("seen", [{"spec": {"nodeName": "node-1"}}, {"status": SCHEDULED}])
def test_a_pod_that_has_its_node_is_starting(world: World, seen: dict[str, Any]) -> None:
    world.pod().update(seen)
    found = verdict(world)
    assert isinstance(found, Live)
    assert (found.running, found.reason) == (False, Reason.POD_STARTING)


def test_pods_that_tell_whether_another_one_follows(world: World) -> None:
    pod = world.start()
    world.end(pod, 137)
    assert is_settled([pod])
    world.disrupt(pod)
    assert not is_settled([pod]), "the Job controller replaces it"


@pytest.mark.parametrize("seconds", ["1e999", "-1e999", "NaN"])
def test_timings_that_are_no_numbers_are_not_believed(world: World, seconds: str) -> None:
    words = TerminationMessage(result=RESULT).model_dump_json(exclude_none=True).replace("1.5", seconds)
    world.end(world.start(), 0, message=words)
    assert ended(world).report is None


def test_what_another_attempt_would_not_help_ends_a_disrupted_one(world: World) -> None:
    pod = world.start()
    world.disrupt(pod)
    world.end(pod, 10)
    assert (ended(world).reason, ended(world).retryable) == ("InvalidInput", False)


def test_a_running_pod_says_when_it_is_being_stopped(world: World) -> None:
    pod = world.start()
    found = verdict(world)
    assert isinstance(found, Live)
    assert found.reason is Reason.RUNNING
    pod["metadata"]["deletionTimestamp"] = rfc3339(world.now)
    found = verdict(world)
    assert isinstance(found, Live)
    assert (found.running, found.reason) == (True, Reason.POD_TERMINATING)
