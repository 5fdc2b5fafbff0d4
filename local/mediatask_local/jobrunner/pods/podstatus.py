"""The status that a kubelet writes at each stage of a pod's life. Pure: from the known pod to its new status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mediatask_common.kube import Object
from mediatask_common.times import rfc3339

from ..conditions import set_condition
from .podstate import container_of


@dataclass(frozen=True)
class Termination:
    """How a pod's container terminated."""

    exit_code: int
    reason: str
    """Completed, Error, OOMKilled, StartError or ContainerStatusUnknown, as in the kubelet."""
    started_at: datetime | None
    finished_at: datetime
    message: str = ""
    """The termination message, or why there is none."""


@dataclass(frozen=True)
class Disruption:
    """The node terminated the pod: condition DisruptionTarget, which a Job's podFailurePolicy can ignore."""

    reason: str
    message: str


NODE_SHUTDOWN = Disruption("TerminationByKubelet", "Pod was terminated in response to imminent node shutdown.")
RUNNER_LOST = Disruption("TerminationByKubelet", "The job runner was restarted while the pod was running.")


def waiting(pod: Object, now: datetime, reason: str, message: str = "") -> Object:
    """Bound to the node, but not running."""
    state: Object = {"reason": reason, **({"message": message} if message else {})}
    return _status(pod, now, "Pending", {"waiting": state}, ready=False)


def running(pod: Object, started_at: datetime) -> Object:
    return _status(pod, started_at, "Running", {"running": {"startedAt": rfc3339(started_at)}}, ready=True)


def ended(pod: Object, termination: Termination, disruption: Disruption | None = None) -> Object:
    """The container has terminated, and the pod with it."""
    terminated: Object = {
        "exitCode": termination.exit_code,
        "reason": termination.reason,
        "finishedAt": rfc3339(termination.finished_at),
        **({"startedAt": rfc3339(termination.started_at)} if termination.started_at else {}),
        **({"message": termination.message} if termination.message else {}),
    }
    phase = "Succeeded" if termination.exit_code == 0 else "Failed"
    status = _status(pod, termination.finished_at, phase, {"terminated": terminated}, ready=False)
    if disruption is not None:
        _disrupt(status, disruption, termination.finished_at)
    return status


def never_started(
    pod: Object, now: datetime, reason: str, message: str, disruption: Disruption | None = None
) -> Object:
    """Failed before its container could start."""
    status = _status(pod, now, "Failed", {"waiting": {"reason": reason, "message": message}}, ready=False)
    status |= {"reason": reason, "message": message}
    if disruption is not None:
        _disrupt(status, disruption, now)
    return status


def _disrupt(status: Object, disruption: Disruption, now: datetime) -> None:
    status["conditions"] = set_condition(
        status["conditions"], "DisruptionTarget", True, now, disruption.reason, disruption.message
    )
    status |= {"reason": "Terminated", "message": disruption.message}


def _status(pod: Object, now: datetime, phase: str, state: Object, *, ready: bool) -> Object:
    container = container_of(pod)
    old = pod.get("status") or {}
    conditions = list(old.get("conditions") or [])
    finished = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    reason = "" if ready else finished or "ContainersNotReady"
    conditions = set_condition(conditions, "PodScheduled", True, now)
    conditions = set_condition(conditions, "Initialized", True, now, finished or "")
    conditions = set_condition(conditions, "ContainersReady", ready, now, reason)
    conditions = set_condition(conditions, "Ready", ready, now, reason)
    return {
        "phase": phase,
        "hostIP": "127.0.0.1",
        "startTime": old.get("startTime") or rfc3339(now),
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "lastState": {},
                "state": state,
            }
        ],
    }
