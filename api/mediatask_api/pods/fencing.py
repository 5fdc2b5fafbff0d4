"""Which reports of a Job pod still count. Pure.

Kubernetes promises at least one pod per attempt, not exactly one, and news may arrive late: what comes from an
attempt that is over must change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediatask_common.kube import Object
from mediatask_common.times import parse_time
from mediatask_crds.names import LABEL_ATTEMPT, LABEL_TASK, label_value
from mediatask_crds.task import Phase

from ..http.errors import ApiError
from ..tasks.resource import retry_pending


@dataclass(frozen=True)
class Pod:
    """What is known of a reporting pod."""

    namespace: str
    name: str
    uid: str
    created: str
    labels: dict[str, str]

    @property
    def attempt(self) -> int:
        """The attempt it was made for; 0 when its label says none."""
        text = self.labels.get(LABEL_ATTEMPT, "")
        return int(text) if text.isdigit() else 0


def check_pod(pod: Pod, task_id: str, reported_attempt: int) -> None:
    """The pod speaks for the task and attempt that it names. Raises ApiError (403)."""
    if pod.labels.get(LABEL_TASK) != label_value(task_id):
        raise ApiError(403, "foreign-pod", "This pod does not belong to the task.")
    if pod.attempt < 1 or pod.attempt != reported_attempt:
        raise ApiError(403, "foreign-attempt", "This pod does not belong to the attempt that it names.")


def check_task(pod: Pod, task: Object | None) -> Object:
    """The task, where reports of this pod still count. Raises ApiError: 409 when they do not, 403 for strangers."""
    if task is None or "deletionTimestamp" in task["metadata"]:
        raise _fenced("The task is gone.")
    if parse_time(pod.created) < parse_time(task["metadata"]["creationTimestamp"]):
        raise ApiError(403, "foreign-pod", "This pod was made for an earlier task of this name.")
    status = task.get("status") or {}
    current, phase = status.get("attempt") or 0, Phase(status.get("phase") or Phase.QUEUED)
    # The operator creates a Job first and writes the status next, so a pod may be ahead of the status.
    if pod.attempt < current:
        raise _fenced(f"Attempt {pod.attempt} is superseded by attempt {current}.")
    if phase.terminal and not (pod.attempt > current and retry_pending(task)):
        raise _fenced(f"The task is {phase}.")
    return task


def check_not_cancelled(task: Object) -> None:
    """Nothing is published any more once cancellation is asked for. Raises ApiError (409)."""
    if task["spec"].get("cancel"):
        raise _fenced("The task is being cancelled.")


def _fenced(detail: str) -> ApiError:
    return ApiError(409, "fenced", detail)
