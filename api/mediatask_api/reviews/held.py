"""Held tasks between REST and the resource. Pure."""

from __future__ import annotations

from mediatask_common.kube import Object
from mediatask_crds.freeform import without_control_characters

from ..http.errors import ApiError
from ..tasks.resource import Sign, held_condition, result_answer
from .schemas import HeldTask, ReviewRequest, VerdictAnswer


def task_not_held() -> ApiError:
    return ApiError(409, "task-not-held", "The task's media does not wait for a review.")


def to_held(task: Object, sign: Sign) -> HeldTask | None:
    """The answer for a held task; None for any other."""
    condition, status = held_condition(task), task.get("status") or {}
    if condition is None or not status.get("result"):
        return None
    state = status.get("moderation") or {}
    found = state.get("verdict")
    verdict = None
    if found is not None:
        verdict = VerdictAnswer(
            check=found["check"],
            model=found.get("model"),
            decision=found["decision"],
            score=found["score"],
            reason=found["reason"],
        )
    return HeldTask(
        task_id=task["metadata"]["name"],
        project_id=task["spec"]["projectId"],
        task_type=task["spec"]["taskType"],
        created_at=task["metadata"]["creationTimestamp"],
        held_since=condition["lastTransitionTime"],
        reason=condition["reason"],
        message=without_control_characters(condition.get("message", "")),
        rules=state.get("rules") or [],
        verdict=verdict,
        result=result_answer(status["result"], sign),
    )


def review_of(task: Object, wanted: ReviewRequest, by: str) -> Object | None:
    """The change of the spec; None where the same is asked for already. Raises ApiError (409) where nothing is held."""
    artifacts = ((task.get("status") or {}).get("result") or {}).get("artifacts") or []
    if held_condition(task) is None or not artifacts or task["spec"].get("cancel"):
        raise task_not_held()
    review: Object = {
        "decision": wanted.decision,
        "sha256": artifacts[0]["sha256"],
        "by": by[:253],
        "note": wanted.note,
    }
    return None if task["spec"].get("review") == review else {"review": review}
