"""What a Job needs next, decided from the Job and its pods alone. Semantics of the batch/v1 Job controller.

An ended pod is counted exactly once although the count lies in another object: its UID is first written to
`status.uncountedTerminatedPods`, then the pod loses its tracking finalizer, and only when that is seen to be gone does
the UID become part of `succeeded` or `failed`. A crash between any two of these steps repeats the step, not the count.

A pod is replaced only once it has ended (podReplacementPolicy Failed), whatever the Job says: two pods of one Job must
not fight for the GPUs of one machine. Indexed Jobs are not run.
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
"""Seconds before the pod after the first failed one; doubles with each."""
LAST_BACKOFF = 600.0


@dataclass(frozen=True)
class Plan:
    """Steps in their order: write the status, release pods, delete pods, create pods, look again."""

    status: Object | None = None
    """The whole new status, when it differs."""
    release: tuple[Object, ...] = ()
    """Pods that lose their tracking finalizer: their end is on record."""
    delete: tuple[Object, ...] = ()
    create: int = 0
    remove: bool = False
    """The Job has been finished for ttlSecondsAfterFinished."""
    after: float | None = None
    """Seconds until time alone changes the answer."""


@dataclass
class _Ends:
    """Ended pods: how many are counted, and the UIDs of those on their way to it."""

    succeeded: int
    failed: int
    uncounted_succeeded: list[str]
    uncounted_failed: list[str]
    release: list[Object] = field(default_factory=list)
    fail_job: str = ""
    """Message of the FailJob rule that a pod met."""

    @property
    def total_succeeded(self) -> int:
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def total_failed(self) -> int:
        return self.failed + len(self.uncounted_failed)


def is_finished(job: Object) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def decide(job: Object, pods: list[Object], now: datetime) -> Plan:
    """The next steps for a Job with these pods (all that it owns)."""
    if is_deleting(job) or is_finished(job):
        return _ended(job, pods, now)
    spec, old = job["spec"], job.get("status") or {}
    ends = _count(job, pods)
    conditions: list[Object] = list(old.get("conditions") or [])
    live = [pod for pod in pods if not is_terminal(pod)]
    suspended = bool(spec.get("suspend"))
    start = None if suspended else old.get("startTime") or rfc3339(now)
    if suspended != is_true(job, "Suspended") and (suspended or condition(job, "Suspended")):
        reason = "JobSuspended" if suspended else "JobResumed"
        conditions = set_condition(conditions, "Suspended", suspended, now, reason, reason.replace("Job", "Job "))
        start = None if suspended else rfc3339(now)

    conditions = _criteria(conditions, spec, ends, start, now)
    target = _true(conditions, "FailureTarget")
    success = _true(conditions, "SuccessCriteriaMet")
    stopping = target or success or suspended
    delete = tuple(pod for pod in live if stopping and not is_deleting(pod))
    create, wait = (0, None) if stopping else _missing(spec, ends, pods, live, now)

    counts = {
        "active": sum(not is_deleting(pod) for pod in live) + create,
        "succeeded": ends.succeeded,
        "failed": ends.failed,
    }
    status: Object = {
        **{name: count for name, count in counts.items() if count},
        "ready": sum(is_true(pod, "Ready") and not is_deleting(pod) for pod in live),
        "terminating": sum(is_deleting(pod) for pod in live),
        "uncountedTerminatedPods": _uncounted(ends),
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
        release=tuple(ends.release),
        delete=delete,
        create=create,
        after=_soonest(wait, _until_deadline(spec, start, now) if not stopping else None),
    )


def _ended(job: Object, pods: list[Object], now: datetime) -> Plan:
    """Let the pods go; of a finished Job remove what still runs, and the Job itself when its time is over."""
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


def _count(job: Object, pods: list[Object]) -> _Ends:
    old = job.get("status") or {}
    tracked = {
        pod["metadata"]["uid"]: pod for pod in pods if TRACKING_FINALIZER in (pod["metadata"].get("finalizers") or [])
    }
    uncounted = old.get("uncountedTerminatedPods") or {}
    succeeded, failed = uncounted.get("succeeded") or [], uncounted.get("failed") or []
    ends = _Ends(
        succeeded=old.get("succeeded", 0) + sum(uid not in tracked for uid in succeeded),
        failed=old.get("failed", 0) + sum(uid not in tracked for uid in failed),
        uncounted_succeeded=[uid for uid in succeeded if uid in tracked],
        uncounted_failed=[uid for uid in failed if uid in tracked],
    )
    for uid, pod in tracked.items():
        if not is_terminal(pod):
            continue
        ends.release.append(pod)
        if uid in ends.uncounted_succeeded or uid in ends.uncounted_failed:
            continue
        if phase(pod) == "Succeeded":
            ends.uncounted_succeeded.append(uid)
            continue
        # Suspending deletes pods; that is nobody's failure.
        if is_deleting(pod) and job["spec"].get("suspend"):
            continue
        verdict = judge(job, pod)
        if verdict.action is not Action.IGNORE:
            ends.uncounted_failed.append(uid)
        if verdict.action is Action.FAIL_JOB:
            ends.fail_job = ends.fail_job or verdict.message
    return ends


def _criteria(conditions: list[Object], spec: Object, ends: _Ends, start: str | None, now: datetime) -> list[Object]:
    """FailureTarget or SuccessCriteriaMet, once the Job's fate is sealed."""
    if _true(conditions, "FailureTarget") or _true(conditions, "SuccessCriteriaMet"):
        return conditions
    if ends.fail_job:
        return set_condition(conditions, "FailureTarget", True, now, "PodFailurePolicy", ends.fail_job)
    if ends.total_succeeded >= spec.get("completions", 1):
        message = "Reached expected number of succeeded pods"
        return set_condition(conditions, "SuccessCriteriaMet", True, now, "CompletionsReached", message)
    if ends.total_failed > spec.get("backoffLimit", 6):
        message = "Job has reached the specified backoff limit"
        return set_condition(conditions, "FailureTarget", True, now, "BackoffLimitExceeded", message)
    left = _until_deadline(spec, start, now)
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return set_condition(conditions, "FailureTarget", True, now, "DeadlineExceeded", message)
    return conditions


def _missing(
    spec: Object, ends: _Ends, pods: list[Object], live: list[Object], now: datetime
) -> tuple[int, float | None]:
    """How many pods to create now, or how long to wait before."""
    wanted = min(spec.get("parallelism", 1), spec.get("completions", 1) - ends.total_succeeded) - len(live)
    if wanted <= 0:
        return 0, None
    left = _backoff_left(ends.total_failed, pods, now)
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


def _uncounted(ends: _Ends) -> dict[str, list[str]]:
    lists = {"succeeded": ends.uncounted_succeeded, "failed": ends.uncounted_failed}
    return {name: uids for name, uids in lists.items() if uids}


def _true(conditions: list[Object], kind: str) -> Object | None:
    return next((item for item in conditions if item["type"] == kind and item["status"] == "True"), None)


def _differs(new: Object, old: Object) -> bool:
    def bare(status: Object) -> dict[str, Any]:
        return {name: value for name, value in status.items() if value not in (None, 0, {}, [])}

    return bare(new) != bare(old)


def _soonest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)
