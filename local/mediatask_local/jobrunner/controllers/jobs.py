"""What a Job needs next, decided from the Job and its pods alone. Semantics of the batch/v1 Job controller.

A terminated pod is counted exactly once although the count is in another object: its UID is first written to
`status.uncountedTerminatedPods`, then the pod's tracking finalizer is removed, and only when that has been observed is
the UID counted in `succeeded` or `failed`. A crash between two of these steps repeats a step, not the count.

A pod is replaced only once it has terminated (podReplacementPolicy Failed), whatever the Job says: two pods of one Job
must not compete for the GPUs of one machine. Indexed Jobs are not supported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mediatask_common.kube import Object
from mediatask_common.times import parse_time, rfc3339

from ..conditions import condition, is_true, set_condition
from ..pods.podstate import TRACKING_FINALIZER, is_deleting, is_terminal, phase
from .failurepolicy import Action, judge

FIRST_BACKOFF = 10.0
"""Seconds between the first failed pod and its replacement; doubles with each failure."""
LAST_BACKOFF = 600.0


@dataclass(frozen=True)
class Plan:
    """Steps in order: write the status, remove finalizers, delete pods, create pods, delete the Job, requeue."""

    status: Object | None = None
    """The complete new status; None when it does not change."""
    release: tuple[Object, ...] = ()
    """Pods to remove the tracking finalizer from: their outcome is recorded."""
    delete: tuple[Object, ...] = ()
    create: int = 0
    remove: bool = False
    """Delete the Job: ttlSecondsAfterFinished has passed."""
    after: float | None = None
    """Seconds until a backoff, deadline or TTL runs out."""


@dataclass
class _Tally:
    """Terminated pods: how many are counted, and the UIDs of those not counted yet."""

    succeeded: int
    failed: int
    uncounted_succeeded: list[str]
    uncounted_failed: list[str]
    release: list[Object] = field(default_factory=list)
    fail_job: str = ""
    """Message of the FailJob rule that a pod matched."""

    @property
    def total_succeeded(self) -> int:
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def total_failed(self) -> int:
        return self.failed + len(self.uncounted_failed)


def is_finished(job: Object) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def decide(job: Object, pods: list[Object], now: datetime) -> Plan:
    """The next steps for a Job; `pods` are all that it owns."""
    if is_deleting(job) or is_finished(job):
        return _ended(job, pods, now)
    spec, old = job["spec"], job.get("status") or {}
    tally = _count(job, pods)
    conditions: list[Object] = list(old.get("conditions") or [])
    live = [pod for pod in pods if not is_terminal(pod)]
    suspended = bool(spec.get("suspend"))
    start = None if suspended else old.get("startTime") or rfc3339(now)
    if suspended != is_true(job, "Suspended") and (suspended or condition(job, "Suspended")):
        reason = "JobSuspended" if suspended else "JobResumed"
        conditions = set_condition(conditions, "Suspended", suspended, now, reason, reason.replace("Job", "Job "))
        start = None if suspended else rfc3339(now)

    conditions = _criteria(conditions, spec, tally, start, now)
    target = _true(conditions, "FailureTarget")
    success = _true(conditions, "SuccessCriteriaMet")
    stopping = target or success or suspended
    delete = tuple(pod for pod in live if stopping and not is_deleting(pod))
    create, wait = (0, None) if stopping else _missing(spec, tally, pods, live, now)

    counts = {
        "active": sum(not is_deleting(pod) for pod in live) + create,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
    }
    status: Object = {
        **{name: count for name, count in counts.items() if count},
        "ready": sum(is_true(pod, "Ready") and not is_deleting(pod) for pod in live),
        "terminating": sum(is_deleting(pod) for pod in live),
        "uncountedTerminatedPods": _uncounted(tally),
        "conditions": conditions,
    }
    if start is not None:
        status["startTime"] = start
    if (target or success) and not live and not status["uncountedTerminatedPods"]:
        last, kind = (target, "Failed") if target else (success, "Complete")
        assert last is not None
        status["conditions"] = set_condition(
            conditions, kind, True, now, last.get("reason", ""), last.get("message", "")
        )
        if kind == "Complete":
            status["completionTime"] = rfc3339(now)
    return Plan(
        status=status if _differs(status, old) else None,
        release=tuple(tally.release),
        delete=delete,
        create=create,
        after=_soonest(wait, _until_deadline(spec, start, now) if not stopping else None),
    )


def _ended(job: Object, pods: list[Object], now: datetime) -> Plan:
    """Remove tracking finalizers; for a finished Job delete live pods, and the Job itself after its TTL."""
    release = tuple(pod for pod in pods if TRACKING_FINALIZER in (pod["metadata"].get("finalizers") or []))
    if is_deleting(job):
        return Plan(release=release)
    delete = tuple(pod for pod in pods if not is_terminal(pod) and not is_deleting(pod))
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return Plan(release=release, delete=delete)
    last = condition(job, "Complete") or condition(job, "Failed")
    assert last is not None
    left = (parse_time(last["lastTransitionTime"]) + timedelta(seconds=ttl) - now).total_seconds()
    return Plan(release=release, delete=delete, remove=left <= 0, after=left if left > 0 else None)


def _count(job: Object, pods: list[Object]) -> _Tally:
    old = job.get("status") or {}
    tracked = {
        pod["metadata"]["uid"]: pod for pod in pods if TRACKING_FINALIZER in (pod["metadata"].get("finalizers") or [])
    }
    uncounted = old.get("uncountedTerminatedPods") or {}
    succeeded, failed = uncounted.get("succeeded") or [], uncounted.get("failed") or []
    tally = _Tally(
        succeeded=old.get("succeeded", 0) + sum(uid not in tracked for uid in succeeded),
        failed=old.get("failed", 0) + sum(uid not in tracked for uid in failed),
        uncounted_succeeded=[uid for uid in succeeded if uid in tracked],
        uncounted_failed=[uid for uid in failed if uid in tracked],
    )
    for uid, pod in tracked.items():
        if not is_terminal(pod):
            continue
        tally.release.append(pod)
        if uid in tally.uncounted_succeeded or uid in tally.uncounted_failed:
            continue
        if phase(pod) == "Succeeded":
            tally.uncounted_succeeded.append(uid)
            continue
        # Suspending a Job deletes its pods; that is not a failure.
        if is_deleting(pod) and job["spec"].get("suspend"):
            continue
        verdict = judge(job, pod)
        if verdict.action is not Action.IGNORE:
            tally.uncounted_failed.append(uid)
        if verdict.action is Action.FAIL_JOB:
            tally.fail_job = tally.fail_job or verdict.message
    return tally


def _criteria(conditions: list[Object], spec: Object, tally: _Tally, start: str | None, now: datetime) -> list[Object]:
    """The conditions with FailureTarget or SuccessCriteriaMet, once the Job's outcome is certain."""
    if _true(conditions, "FailureTarget") or _true(conditions, "SuccessCriteriaMet"):
        return conditions
    if tally.fail_job:
        return set_condition(conditions, "FailureTarget", True, now, "PodFailurePolicy", tally.fail_job)
    if tally.total_succeeded >= spec.get("completions", 1):
        message = "Reached expected number of succeeded pods"
        return set_condition(conditions, "SuccessCriteriaMet", True, now, "CompletionsReached", message)
    if tally.total_failed > spec.get("backoffLimit", 6):
        message = "Job has reached the specified backoff limit"
        return set_condition(conditions, "FailureTarget", True, now, "BackoffLimitExceeded", message)
    left = _until_deadline(spec, start, now)
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return set_condition(conditions, "FailureTarget", True, now, "DeadlineExceeded", message)
    return conditions


def _missing(
    spec: Object, tally: _Tally, pods: list[Object], live: list[Object], now: datetime
) -> tuple[int, float | None]:
    """How many pods to create now, or how many seconds to wait first."""
    wanted = min(spec.get("parallelism", 1), spec.get("completions", 1) - tally.total_succeeded) - len(live)
    if wanted <= 0:
        return 0, None
    left = _backoff_left(tally.total_failed, pods, now)
    return (wanted, None) if left <= 0 else (0, left)


def _backoff_left(failures: int, pods: list[Object], now: datetime) -> float:
    if failures == 0:
        return 0
    ended = [
        parse_time(terminated["finishedAt"])
        for pod in pods
        if phase(pod) == "Failed"
        for status in pod["status"].get("containerStatuses") or []
        if (terminated := (status.get("state") or {}).get("terminated"))
    ]
    if not ended:
        return 0
    delay = min(FIRST_BACKOFF * 2.0 ** (failures - 1), LAST_BACKOFF)
    return (max(ended) + timedelta(seconds=delay) - now).total_seconds()


def _until_deadline(spec: Object, start: str | None, now: datetime) -> float | None:
    limit = spec.get("activeDeadlineSeconds")
    if limit is None or start is None:
        return None
    return (parse_time(start) + timedelta(seconds=limit) - now).total_seconds()


def _uncounted(tally: _Tally) -> dict[str, list[str]]:
    lists = {"succeeded": tally.uncounted_succeeded, "failed": tally.uncounted_failed}
    return {name: uids for name, uids in lists.items() if uids}


def _true(conditions: list[Object], condition_type: str) -> Object | None:
    return next((item for item in conditions if item["type"] == condition_type and item["status"] == "True"), None)


def _differs(new: Object, old: Object) -> bool:
    def bare(status: Object) -> dict[str, Any]:
        return {name: value for name, value in status.items() if value not in (None, 0, {}, [])}

    return bare(new) != bare(old)


def _soonest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)
