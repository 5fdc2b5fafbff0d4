"""What became of an attempt: from its Job and pods to one verdict. Pure.

The order of truth is the terminated container first, then the Job's conditions, then scheduling detail: the Job
controller reports the end of a Job up to minutes late in a burst, while the pod's own state is there at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from mediatask_common.times import parse_time
from mediatask_crds.names import CONTAINER
from mediatask_crds.podcontract import ExitCode, TerminationMessage

from .reasons import Reason
from .tuning import ATTEMPTS

Object = dict[str, Any]

_SIGNAL_BASE = 128
_NOBODY_KNOWS = "ContainerStatusUnknown"
"""What a kubelet says, with exit code 137, of a container that it does not find: after a reboot of its node, or
because the pod was deleted before the container had been made."""


@dataclass(frozen=True)
class Limits:
    """Deadlines of an attempt."""

    start: timedelta
    run: timedelta


@dataclass(frozen=True)
class Live:
    """The attempt goes on."""

    running: bool
    reason: Reason
    message: str = ""
    pod_name: str | None = None
    node: str | None = None
    scheduled_at: str | None = None
    started_at: str | None = None
    look_again: datetime | None = None
    """When a deadline has to be looked at, though nothing may have happened by then."""


@dataclass(frozen=True)
class Ended:
    """The attempt is over."""

    reason: str
    message: str
    success: bool = False
    counts: bool = True
    """Whether it spends a retry."""
    retryable: bool = True
    """Whether another attempt may help."""
    may_have_result: bool = True
    """Whether its container ran, so that the store may hold a result whatever else happened."""
    exit_code: int | None = None
    pod_name: str | None = None
    node: str | None = None
    scheduled_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    report: TerminationMessage | None = None
    """The container's termination message, where it could be read."""


class _Fate(NamedTuple):
    """What an end means."""

    reason: Reason
    counts: bool = True
    retryable: bool = True


class _Blocked(NamedTuple):
    """What stands in the way of a container's start."""

    reason: Reason
    """Of the end, when it has lasted too long."""
    patience: timedelta = ATTEMPTS.image_pull
    retryable: bool = True


_BY_EXIT_CODE: dict[int, _Fate] = {
    ExitCode.INVALID_INPUT: _Fate(Reason.INVALID_INPUT, retryable=False),
    ExitCode.UNSAFE_CONTENT: _Fate(Reason.UNSAFE_CONTENT, retryable=False),
    ExitCode.MODEL_MISSING: _Fate(Reason.MODEL_MISSING, retryable=False),
    ExitCode.GPU_OUT_OF_MEMORY: _Fate(Reason.GPU_OUT_OF_MEMORY, retryable=False),
    ExitCode.GPU_FAULT: _Fate(Reason.GPU_FAULT),
    ExitCode.TEMPORARY: _Fate(Reason.TEMPORARY_FAILURE),
    ExitCode.PREEMPTED: _Fate(Reason.PREEMPTED, counts=False),
}

_BY_WAITING_REASON = {
    "InvalidImageName": _Blocked(Reason.IMAGE_PULL_FAILED, timedelta(0), retryable=False),
    "ErrImageNeverPull": _Blocked(Reason.IMAGE_PULL_FAILED, timedelta(0), retryable=False),
    "ErrImagePull": _Blocked(Reason.IMAGE_PULL_FAILED),
    "ImagePullBackOff": _Blocked(Reason.IMAGE_PULL_FAILED),
    "ImageInspectError": _Blocked(Reason.IMAGE_PULL_FAILED),
    "RegistryUnavailable": _Blocked(Reason.IMAGE_PULL_FAILED),
    "CreateContainerConfigError": _Blocked(Reason.CONTAINER_CONFIG),
    "CreateContainerError": _Blocked(Reason.CONTAINER_CONFIG),
    "RunContainerError": _Blocked(Reason.CONTAINER_CONFIG),
}

_BY_POD_REASON = {
    # `status.reason` of a pod that ended without its container having a say.
    "Evicted": _Fate(Reason.EVICTED, counts=False),
    "NodeLost": _Fate(Reason.NODE_LOST, counts=False),
    "NodeShutdown": _Fate(Reason.PREEMPTED, counts=False),
    "Shutdown": _Fate(Reason.PREEMPTED, counts=False),
    "Terminated": _Fate(Reason.PREEMPTED, counts=False),
    "Preempting": _Fate(Reason.PREEMPTED, counts=False),
    "DeadlineExceeded": _Fate(Reason.RUN_DEADLINE),
}


def judge(job: Object | None, pods: Sequence[Object], limits: Limits, now: datetime) -> Live | Ended:
    """What an attempt's Job and pods say about it.

    Args:
        job: the Job as last seen; None when it does not exist.
        pods: all pods of that Job; one that has been deleted carries `gone: true` and its last state.
    """
    ordered = sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
    for pod in ordered:
        if _exit_code(pod) == ExitCode.DONE:
            return _container_end(pod)
    if not ordered:
        return _without_pod(job, limits, now)
    newest = ordered[-1]
    ended = _pod_end(newest, now)
    if ended is None:
        return _alive(newest, limits, now)
    if ended.retryable and _disruption(newest) and job is not None and not is_finished(job):
        return Live(False, Reason.REPLACING_POD, ended.message, pod_name=ended.pod_name, node=ended.node)
    return ended


def may_still_run(pod: Object, now: datetime) -> bool:
    """Whether the pod's container may be running now or later; False also for one on a lost node."""
    return _pod_end(pod, now) is None


def is_finished(job: Object) -> bool:
    """Whether the Job controller is done with the Job: it starts no further pod."""
    return bool(_conditions(job) & {"Complete", "Failed"})


def is_settled(pods: Sequence[Object]) -> bool:
    """Whether the pods of a Job tell that no further one follows, long before the Job's conditions do.

    That is so when a container ended without a disruption (there is no second try within a Job), or when a pod
    cannot be stopped because its node is lost.
    """
    return any(
        (_terminated(pod) is not None and not _disruption(pod))
        or ("deletionTimestamp" in pod["metadata"] and not pod.get("gone") and _terminated(pod) is None)
        for pod in pods
    )


def ends_for_good(pod: Object) -> bool:
    """Whether the pod has ended or is being stopped, and no other one of its Job takes its place."""
    return not pod.get("gone") and not _disruption(pod) and is_settled([pod])


def _without_pod(job: Object | None, limits: Limits, now: datetime) -> Live | Ended:
    if job is None or job["metadata"].get("deletionTimestamp"):
        return Ended(Reason.JOB_DELETED, Reason.JOB_DELETED.sentence)
    conditions = _conditions(job)
    if conditions & {"Complete", "SuccessCriteriaMet"}:
        return Ended(Reason.SUCCEEDED, "", success=True)
    if conditions & {"Failed", "FailureTarget"}:
        why = next(c for c in job["status"]["conditions"] if c["type"] in ("Failed", "FailureTarget"))
        late = why.get("reason") == "DeadlineExceeded"
        return Ended(Reason.RUN_DEADLINE if late else Reason.JOB_FAILED, why.get("message", ""))
    deadline = parse_time(job["metadata"]["creationTimestamp"]) + limits.start
    if now >= deadline:
        return Ended(Reason.START_DEADLINE, "The Job controller created no pod in time.", may_have_result=False)
    return Live(False, Reason.POD_PENDING, "The Job controller has not created the pod yet.", look_again=deadline)


def _pod_end(pod: Object, now: datetime) -> Ended | None:
    """How the pod ended; None while it has not."""
    if _terminated(pod) is not None:
        return _container_end(pod)
    status, seen = pod.get("status", {}), _place(pod)
    deleted_by = pod["metadata"].get("deletionTimestamp")
    if status.get("phase") in ("Failed", "Succeeded"):
        unexplained = _Fate(Reason.POD_DELETED) if deleted_by else _Fate(Reason.NODE_REFUSED, counts=False)
        fate = _BY_POD_REASON.get(status.get("reason", ""), unexplained)
        return Ended(fate.reason, status.get("message") or fate.reason.sentence, counts=fate.counts, **seen)
    disruption = _disruption(pod)
    if pod.get("gone"):
        reason = Reason.PREEMPTED if disruption else Reason.POD_DELETED
        return Ended(reason, disruption or reason.sentence, counts=not disruption, **seen)
    if deleted_by and now >= parse_time(deleted_by) + ATTEMPTS.lost_after:
        return Ended(Reason.NODE_LOST, disruption or Reason.NODE_LOST.sentence, counts=False, **seen)
    return None


def _container_end(pod: Object) -> Ended:
    """The fate that a terminated container's exit code tells."""
    ended = _terminated(pod) or {}
    code = ended.get("exitCode", 1)
    report, text = _termination_message(ended.get("message", ""))
    seen = _place(pod) | {
        "exit_code": code,
        "started_at": ended.get("startedAt"),
        "ended_at": ended.get("finishedAt"),
        "report": report,
    }
    if code == ExitCode.DONE:
        return Ended(Reason.SUCCEEDED, "", success=True, **seen)
    reason, counts, retryable = _exit_class(code, ended.get("reason", ""))
    if reason is Reason.NODE_LOST and "deletionTimestamp" in pod["metadata"]:
        reason, counts = Reason.POD_DELETED, True  # before its container had started
    disruption = _disruption(pod)
    if disruption and retryable:
        evicted = pod.get("status", {}).get("reason") == "Evicted"
        reason, counts = (Reason.EVICTED if evicted else Reason.PREEMPTED), False
    name: str = reason
    if report is not None and report.error is not None:
        text = report.error.message
        if counts and re.fullmatch(r"[A-Z][A-Za-z0-9]{0,62}", report.error.code):
            name = report.error.code
    message = disruption or text or f"{reason.sentence} (exit code {code})"
    return Ended(name, message, counts=counts, retryable=retryable, may_have_result=retryable, **seen)


def _exit_class(code: int, container_reason: str) -> _Fate:
    if code in _BY_EXIT_CODE:
        return _BY_EXIT_CODE[code]
    if container_reason == "OOMKilled":
        return _Fate(Reason.OUT_OF_MEMORY)
    if container_reason == _NOBODY_KNOWS:
        return _Fate(Reason.NODE_LOST, counts=False)
    return _Fate(Reason.KILLED if code > _SIGNAL_BASE else Reason.CONTAINER_FAILED)


def _alive(pod: Object, limits: Limits, now: datetime) -> Live | Ended:
    seen = _place(pod)
    state = _container(pod).get("state", {})
    terminating = pod["metadata"].get("deletionTimestamp")
    if "running" in state:
        started = state["running"]["startedAt"]
        deadline = parse_time(started) + limits.run
        if now >= deadline:
            return Ended(Reason.RUN_DEADLINE, _ran_out("ran", limits.run), started_at=started, **seen)
        reason = Reason.POD_TERMINATING if terminating else Reason.RUNNING
        look_again = parse_time(terminating) + ATTEMPTS.lost_after if terminating else deadline
        return Live(True, reason, started_at=started, look_again=min(look_again, deadline), **seen)
    waiting = state.get("waiting", {})
    since = parse_time(pod["metadata"]["creationTimestamp"])
    scheduled = _condition(pod, "PodScheduled")
    if waiting.get("reason") in _BY_WAITING_REASON:
        end, patience, retryable = _BY_WAITING_REASON[waiting["reason"]]
        message = f"{waiting['reason']}: {waiting.get('message', '')}"
        reason = Reason.POD_STARTING
    elif scheduled.get("status") == "True" or seen["node"]:
        patience, end, retryable = limits.start, Reason.START_DEADLINE, True
        message, reason = "", Reason.POD_STARTING
    else:
        unschedulable = scheduled.get("reason") == "Unschedulable"
        patience, retryable = limits.start, True
        end = Reason.UNSCHEDULABLE if unschedulable else Reason.START_DEADLINE
        message = scheduled.get("message", "")
        reason = Reason.UNSCHEDULABLE if unschedulable else Reason.POD_PENDING
    deadline = since + min(patience, limits.start)
    if now >= deadline:
        waited = message or _ran_out("waited", limits.start)
        return Ended(end, waited, retryable=retryable, may_have_result=False, **seen)
    if terminating:
        deadline = min(deadline, parse_time(terminating) + ATTEMPTS.lost_after)
    return Live(False, reason, message, look_again=deadline, **seen)


def backoff(task_uid: str, number: int, failures: int) -> timedelta:
    """The pause before an attempt, doubled per earlier failure of the round.

    Its jitter comes from the task and the attempt, so that a restarted operator finds the same.
    """
    chance = hashlib.sha256(f"{task_uid}/{number}".encode()).digest()[0] / 255
    doubled: int = 2 ** min(max(failures - 1, 0), 10)
    return min(ATTEMPTS.first_pause * doubled, ATTEMPTS.most_pause) * (1 + chance * ATTEMPTS.jitter)


# ---- reading a pod


def _container(pod: Object) -> Object:
    """The status of the job's container; empty before the kubelet has written one."""
    statuses = pod.get("status", {}).get("containerStatuses") or []
    found: Object = next((status for status in statuses if status.get("name") == CONTAINER), {})
    return found


def _terminated(pod: Object) -> Object | None:
    state: Object | None = _container(pod).get("state", {}).get("terminated")
    return state


def _exit_code(pod: Object) -> int | None:
    ended = _terminated(pod)
    return None if ended is None else ended.get("exitCode")


def _place(pod: Object) -> dict[str, Any]:
    scheduled = _condition(pod, "PodScheduled")
    return {
        "pod_name": pod["metadata"]["name"],
        "node": pod.get("spec", {}).get("nodeName"),
        "scheduled_at": scheduled.get("lastTransitionTime") if scheduled.get("status") == "True" else None,
    }


def _condition(obj: Object, kind: str) -> Object:
    conditions = obj.get("status", {}).get("conditions") or []
    found: Object = next((condition for condition in conditions if condition["type"] == kind), {})
    return found


def _conditions(obj: Object) -> set[str]:
    """Types of the conditions that hold."""
    return {c["type"] for c in obj.get("status", {}).get("conditions") or [] if c["status"] == "True"}


def _disruption(pod: Object) -> str:
    """Why the pod had to leave its node; empty when it did not."""
    condition = _condition(pod, "DisruptionTarget")
    if condition.get("status") != "True":
        return ""
    return f"{condition.get('reason', 'DisruptionTarget')}: {condition.get('message', '')}"


def _termination_message(text: str) -> tuple[TerminationMessage | None, str]:
    """The termination message as the contract has it, and as plain text where it is something else."""
    try:
        return TerminationMessage.model_validate_json(text), ""
    except ValidationError:
        return None, text.strip()


def _ran_out(what: str, limit: timedelta) -> str:
    return f"It {what} for the allowed {limit.total_seconds():.0f} s."
