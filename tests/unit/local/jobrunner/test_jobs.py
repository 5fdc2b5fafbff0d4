"""What a Job needs next: whatever order its pods end in, ends are counted once and no pod too many is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mediatask_local.jobrunner.conditions import condition, is_true
from mediatask_local.jobrunner.controllers.jobpods import new_pod
from mediatask_local.jobrunner.controllers.jobs import decide, is_finished
from mediatask_local.jobrunner.pods.podstate import TRACKING_FINALIZER, is_deleting, is_terminal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def job(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "film", "namespace": "default", "uid": "job-uid"}
    template = {"metadata": {}, "spec": {"containers": [{"name": "main", "image": "python"}]}}
    return {"metadata": metadata, "spec": {"backoffLimit": 0, "template": template, **spec}}


class Cluster(RuleBasedStateMachine):
    """A Job and its pods; the rules are what else happens in a cluster, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.job = job(backoffLimit=2, completions=2, parallelism=2)
        self.pods: list[dict[str, Any]] = []
        self.made = 0
        self.succeeded = 0
        self.failed = 0

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(steps=st.integers(1, 4))
    def controller_runs(self, steps: int) -> None:
        """The controller carries out the first steps of its plan, then dies perhaps."""
        plan = decide(self.job, self.pods, self.now)
        if plan.status is not None:
            self.job = {**self.job, "status": plan.status}
        if steps > 1:
            for pod in plan.release:
                pod["metadata"]["finalizers"] = []
        if steps > 2:
            for pod in plan.delete:
                pod["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
        if steps > 3:
            for _ in range(plan.create):
                self.made += 1
                pod = new_pod(self.job)
                pod["metadata"]["uid"] = f"pod-{self.made}"
                pod["status"] = {"phase": "Running"}
                self.pods.append(pod)

    @precondition(lambda self: any(not is_terminal(pod) for pod in self.pods))
    @rule(data=st.data(), success=st.booleans())
    def a_pod_ends(self, data: st.DataObject, success: bool) -> None:
        pod = data.draw(st.sampled_from([pod for pod in self.pods if not is_terminal(pod)]))
        code = 0 if success else 1
        terminated = {"exitCode": code, "finishedAt": self.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        statuses = [{"name": "main", "state": {"terminated": terminated}}]
        pod["status"] = {"phase": "Succeeded" if success else "Failed", "containerStatuses": statuses}
        if success:
            self.succeeded += 1
        else:
            self.failed += 1

    @rule()
    def released_and_deleted_pods_go(self) -> None:
        self.pods = [
            pod for pod in self.pods if pod["metadata"]["finalizers"] or not (is_deleting(pod) and is_terminal(pod))
        ]

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        status = self.job.get("status", {})
        uncounted = status.get("uncountedTerminatedPods", {})
        assert status.get("succeeded", 0) + len(uncounted.get("succeeded", [])) <= self.succeeded
        assert status.get("failed", 0) + len(uncounted.get("failed", [])) <= self.failed

    @invariant()
    def never_too_many_pods(self) -> None:
        live = [pod for pod in self.pods if not is_terminal(pod)]
        assert len(live) <= 2

    @invariant()
    def criteria_come_before_the_end(self) -> None:
        assert not (is_true(self.job, "Complete") and is_true(self.job, "Failed"))
        if is_true(self.job, "Complete"):
            assert is_true(self.job, "SuccessCriteriaMet")
            assert self.job["status"]["succeeded"] >= 2
        if is_true(self.job, "Failed"):
            assert is_true(self.job, "FailureTarget")

    def teardown(self) -> None:
        """Left alone with its controller, the Job comes to rest, and every end that was to count is counted."""
        for _ in range(12):
            for pod in self.pods:
                if is_deleting(pod) and not is_terminal(pod):
                    pod["status"] = {"phase": "Failed"}
                    self.failed += 1
            self.controller_runs(4)
        settled = decide(self.job, self.pods, self.now)
        assert settled.status is None
        assert not settled.release
        if is_finished(self.job):
            assert all(not pod["metadata"]["finalizers"] for pod in self.pods)
            assert self.job["status"].get("succeeded", 0) == self.succeeded
            assert self.job["status"].get("failed", 0) == self.failed


Cluster.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCluster = Cluster.TestCase


def ended_pod(uid: str, code: int, **status: Any) -> dict[str, Any]:
    terminated = {"exitCode": code, "finishedAt": "2026-11-21T12:00:00Z"}
    statuses = [{"name": "main", "state": {"terminated": terminated}}]
    phase = "Failed" if code else "Succeeded"
    metadata = {"name": uid, "namespace": "default", "uid": uid, "finalizers": [TRACKING_FINALIZER]}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase, "containerStatuses": statuses, **status}}


def test_a_new_job_gets_its_pod() -> None:
    plan = decide(job(), [], NOW)
    assert plan.create == 1
    assert plan.status is not None
    assert plan.status["startTime"] == "2026-11-21T12:00:00Z"


def test_the_end_is_on_record_before_the_pod_is_let_go() -> None:
    plan = decide(job(), [ended_pod("a", 0)], NOW)
    assert plan.status is not None
    assert plan.status["uncountedTerminatedPods"] == {"succeeded": ["a"]}
    assert condition({"status": plan.status}, "Complete") is None
    assert [pod["metadata"]["uid"] for pod in plan.release] == ["a"]


@pytest.mark.parametrize(("failures", "wait"), [(1, 10), (2, 20), (3, 40)])
def test_retries_back_off(failures: int, wait: float) -> None:
    pods = [ended_pod(str(number), 1) for number in range(failures)]
    plan = decide(job(backoffLimit=6), pods, NOW)
    assert (plan.create, plan.after) == (0, wait)
    assert decide(job(backoffLimit=6), pods, NOW + timedelta(seconds=wait)).create == 1


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [10]}}, "PodFailurePolicy"),
        ({"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [75]}}, "PodFailurePolicy"),
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [11]}}, "BackoffLimitExceeded"),
        (
            {"action": "FailJob", "onExitCodes": {"containerName": "other", "operator": "In", "values": [10]}},
            "BackoffLimitExceeded",
        ),
        ({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}, None),
        ({"action": "Count", "onPodConditions": [{"type": "DisruptionTarget"}]}, "BackoffLimitExceeded"),
    ],
)
def test_pod_failure_policy(rule: dict[str, Any], reason: str | None) -> None:
    pod = ended_pod("a", 10, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    plan = decide(job(podFailurePolicy={"rules": [rule]}), [pod], NOW)
    assert plan.status is not None
    target = condition({"status": plan.status}, "FailureTarget")
    assert (target and target["reason"]) == reason


def test_ignored_pods_are_replaced_at_once() -> None:
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    pod = ended_pod("a", 137, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    plan = decide(job(podFailurePolicy=policy), [pod], NOW)
    assert plan.create == 1
    assert [each["metadata"]["uid"] for each in plan.release] == ["a"]


def test_a_deleted_job_only_lets_its_pods_go() -> None:
    dying = job()
    dying["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    plan = decide(dying, [ended_pod("a", 0)], NOW)
    assert (plan.status, plan.create, plan.delete) == (None, 0, ())
    assert len(plan.release) == 1


def test_ttl_counts_from_the_end() -> None:
    done = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-21T12:00:00Z"}
    finished = {**job(ttlSecondsAfterFinished=60), "status": {"conditions": [done]}}
    early = decide(finished, [], NOW + timedelta(seconds=59))
    assert (early.remove, early.after) == (False, 1)
    assert decide(finished, [], NOW + timedelta(seconds=60)).remove
