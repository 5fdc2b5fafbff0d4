"""A webhook's state, as the task's status keeps it. Pure."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from mediatask_common.kube import Object
from mediatask_crds.freeform import without_control_characters

from ..http.errors import ApiError
from ..tasks.refusals import no_webhook, webhook_not_sent
from .schemas import WebhookAnswer, WebhookTry

MOST_REQUESTS = 1000


def webhook(task: Object) -> WebhookAnswer:
    """The answer for a task. Raises ApiError (404) where it has no callback."""
    callback = task["spec"].get("callback")
    if callback is None:
        raise no_webhook()
    state = _state(task)
    return WebhookAnswer(
        task_id=task["metadata"]["name"],
        receiver=_receiver(callback["url"]),
        state=_word(task, state),
        webhook_id=state.get("id"),
        event=state.get("event"),
        attempts=state.get("attempts", 0),
        next_attempt_at=state.get("nextAttemptAt"),
        delivered_at=state.get("deliveredAt"),
        tries=[
            WebhookTry(
                number=entry["number"],
                at=entry["at"],
                status_code=entry.get("statusCode"),
                error=without_control_characters(entry["error"]) if entry.get("error") else None,
            )
            for entry in state.get("log") or []
        ],
    )


def redelivery(task: Object) -> Object | None:
    """The change of the spec that asks for delivery anew; None where that is asked for already.

    Raises:
        ApiError: 404 where it has no callback, 409 where nothing was sent yet or too much was asked for.
    """
    if task["spec"].get("callback") is None:
        raise no_webhook()
    if not _state(task):
        raise webhook_not_sent()
    if _asked(task):
        return None
    asked: int = task["spec"].get("redeliverRequest", 0)
    if asked >= MOST_REQUESTS:
        raise ApiError(409, "redelivered-too-often", f"Delivery was asked for anew {MOST_REQUESTS} times already.")
    return {"redeliverRequest": asked + 1}


def _state(task: Object) -> Object:
    state: Object = (task.get("status") or {}).get("callback") or {}
    return state


def _asked(task: Object) -> bool:
    return bool(task["spec"].get("redeliverRequest", 0) > (_state(task).get("redelivery") or 0))


def _word(task: Object, state: Object) -> Literal["waiting", "pending", "retrying", "delivered", "failed"]:
    if not state:
        return "waiting"
    if _asked(task):
        return "pending"
    if state.get("nextAttemptAt"):
        return "retrying" if state.get("attempts", 0) > (state.get("begunAfter") or 0) else "pending"
    return "delivered" if state.get("deliveredAt") else "failed"


def _receiver(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return ""
