"""Between REST and the resource: pure translations, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mediatask_common.kube import Object
from mediatask_common.redisview import scheduled
from mediatask_crds.freeform import without_control_characters
from mediatask_crds.names import API_VERSION, LABEL_PROJECT, LABEL_TAG_PREFIX, LABEL_TYPE, label_value
from mediatask_crds.task import HELD_STEP, MODERATING_STEP, SCHEDULED_STEP, Phase

from .schemas import (
    ArtifactAnswer,
    CostAnswer,
    ErrorAnswer,
    EstimateAnswer,
    ResultAnswer,
    SubmitAnswer,
    SubmitRequest,
    TaskAnswer,
)

WAITING_STEP = "waiting_in_queue"
CANCELLING_STEP = "cancelling"
COMPLETED_STEP = "upload_complete"

Sign = Callable[[str], str]
"""The download URL of an artifact's key."""


def to_resource(request: SubmitRequest, name: str, namespace: str, annotations: dict[str, str]) -> Object:
    """The MediaTask of a validated submit."""
    spec: Object = {
        "projectId": request.project_id,
        "taskType": request.task_type,
        # An explicit null says the same as an absent field, which is the only form the CRD knows.
        "taskData": {key: value for key, value in request.task_data.items() if value is not None},
        "priority": request.priority,
    }
    if request.callback_url is not None:
        spec["callback"] = {"url": request.callback_url}
    if request.tags:
        spec["tags"] = request.tags
    if request.not_before is not None:
        spec["notBefore"] = request.not_before
    if request.metadata:
        spec["metadata"] = request.metadata
    labels = {LABEL_PROJECT: label_value(request.project_id), LABEL_TYPE: label_value(request.task_type)}
    labels |= {f"{LABEL_TAG_PREFIX}{tag}": "" for tag in request.tags}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": "MediaTask", "metadata": metadata, "spec": spec}


def phase_of(task: Object) -> Phase:
    """The status word: what the operator wrote, or `queued` as soon as a retry is asked for."""
    phase = Phase((task.get("status") or {}).get("phase") or Phase.QUEUED)
    if retry_pending(task) and phase in (Phase.FAILED, Phase.CANCELLED):
        return Phase.QUEUED
    return phase


def retry_pending(task: Object) -> bool:
    """Whether a retry was asked for that the operator has not taken up yet."""
    asked: int = task["spec"].get("retryRequest", 0)
    working_on: int = (task.get("status") or {}).get("round", 0)
    return asked > working_on


def to_answer(task: Object, sign: Sign) -> TaskAnswer:
    """The status answer of a resource, whole or as the Redis view keeps it."""
    spec, phase = task["spec"], phase_of(task)
    # What an earlier round left behind is not the state of the one that was just asked for.
    status: Object = {} if phase is Phase.QUEUED and retry_pending(task) else task.get("status") or {}
    attempt = (task.get("status") or {}).get("attempt", 0)
    queue = status.get("queue") or {}
    return TaskAnswer(
        task_id=task["metadata"]["name"],
        project_id=spec["projectId"],
        task_type=spec["taskType"],
        status=phase,
        progress=_progress(phase, status),
        current_step=_step(phase, status, cancelling=spec.get("cancel", False)),
        result=result_answer(status["result"], sign) if phase is Phase.COMPLETED and status.get("result") else None,
        error=_error(status["error"]) if status.get("error") else None,
        created_at=task["metadata"]["creationTimestamp"],
        started_at=status.get("startedAt"),
        completed_at=status.get("completedAt") if phase.terminal else None,
        attempt=attempt,
        priority=spec.get("priority", 5),
        tags=spec.get("tags") or [],
        not_before=spec.get("notBefore"),
        metadata=spec.get("metadata", {}),
        queue_position=queue.get("position") if phase is Phase.QUEUED else None,
        estimated_start=_estimated_start(task, queue) if phase is Phase.QUEUED else None,
        timings=status.get("timings") or {},
        # Also while a retry is asked for: it goes on counting.
        cost=cost_of(task),
    )


def held_condition(task: Object) -> Object | None:
    """The condition that says why the task's media is held; None where it is not."""
    status = task.get("status") or {}
    return _held(status) if phase_of(task) is Phase.PROCESSING else None


def held(status: Object) -> bool:
    """Whether media is there that nobody but reviewers may see, whatever the job has reported last."""
    return _held(status) is not None


def _held(status: Object) -> Object | None:
    conditions: list[Object] = status.get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Held" and one.get("status") == "True"), None)


def submit_answer(task_id: str, project: str, expected: EstimateAnswer, created_at: str) -> SubmitAnswer:
    """The answer to a submit or retry."""
    return SubmitAnswer(
        task_id=task_id,
        status="queued",
        project_id=project,
        estimated_duration=expected.estimated_duration,
        queue_position=expected.queue_position,
        created_at=created_at,
        estimated_cost=expected.cost,
    )


def _estimated_start(task: Object, queue: Object) -> str | None:
    start: str | None = task["spec"]["notBefore"] if scheduled(task) else queue.get("estimatedStart")
    return start


def _progress(phase: Phase, status: Object) -> float:
    if phase is Phase.COMPLETED:
        return 1.0
    return 0.0 if phase is Phase.QUEUED else status.get("progress") or 0.0


def _step(phase: Phase, status: Object, *, cancelling: bool) -> str | None:
    if phase is Phase.COMPLETED:
        return COMPLETED_STEP
    if cancelling and not phase.terminal:
        return CANCELLING_STEP
    # Steps and messages are a job's words, or those of whoever may write a status: they end up in terminals.
    if phase is Phase.QUEUED:
        step: str | None = status.get("currentStep")
        return step if step in (SCHEDULED_STEP, MODERATING_STEP) else WAITING_STEP
    if held(status):
        return HELD_STEP
    return without_control_characters(status.get("currentStep") or "") or None


def _error(error: Object) -> ErrorAnswer:
    return ErrorAnswer(
        code=without_control_characters(error["code"]),
        message=without_control_characters(error["message"]),
        retryable=error.get("retryable", False),
    )


def cost_of(task: Object) -> CostAnswer | None:
    """What the task has used and is charged, over all its rounds; None where nothing that counts."""
    cost: Object | None = (task.get("status") or {}).get("cost")
    if not cost:
        return None
    return CostAnswer(
        gpu_seconds=cost.get("gpuSeconds", 0.0),
        cpu_seconds=cost.get("cpuSeconds", 0.0),
        amount=cost.get("amount"),
        currency=cost.get("currency"),
    )


def result_answer(result: Object, sign: Sign) -> ResultAnswer:
    """The result with its links: for whoever may have the media."""
    artifacts = [
        ArtifactAnswer(
            name=artifact["name"],
            url=sign(artifact["key"]),
            bytes=artifact["bytes"],
            sha256=artifact["sha256"],
            content_type=artifact["contentType"],
        )
        for artifact in result.get("artifacts") or []
    ]
    metadata: dict[str, Any] = result.get("metadata") or {}
    return ResultAnswer(
        media_url=artifacts[0].url if artifacts else result.get("mediaUrl"),
        payload_media_id=result.get("payloadMediaId"),
        metadata=metadata,
        artifacts=artifacts,
    )
