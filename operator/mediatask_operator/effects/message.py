"""What a webhook says: the platform's fields, in a Standard Webhooks v1 message. Pure.

Every try of one schedule carries the same bytes, whatever becomes of the task meanwhile: a message is made of facts
that no longer change once its event has come to pass.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import orjson

from mediatask_common.times import parse_time
from mediatask_crds.task import MediaTaskStatus, Phase, Result

from ..deciding.callback import COMPLETED, PHASE_OF_EVENT, REGISTERED
from ..deciding.observation import Task

BODY_LIMIT = 256 * 1024
"""Bytes of a message; where metadata make it larger they are left out, and read from the status instead."""

Sign = Callable[[str, datetime], str]
"""The address that reads an object of the store, by its key and the moment from which it is valid."""


def body(task: Task, event: str, sign: Sign) -> bytes:
    """The JSON of a webhook.

    Args:
        event: as the status names it, for example `task.completed`.
    """
    message = _fields(task, event, sign)
    content = orjson.dumps(message)
    if len(content) > BODY_LIMIT:
        message["metadata"] = {}
        if message["result"] is not None:
            message["result"]["metadata"] = {}
        content = orjson.dumps(message)
    return content


def _fields(task: Task, event: str, sign: Sign) -> dict[str, Any]:
    status, phase = task.status, PHASE_OF_EVENT[event]
    result = status.result if phase is Phase.COMPLETED else None
    error = status.error if event == "task.failed" else None
    return {
        "type": event,
        "timestamp": _moment(status, event),
        "task_id": task.name,
        "status": phase,
        "project_id": task.spec.project_id,
        "result": None if result is None else _result(task, event, result, sign),
        "error": None if error is None else error.model_dump(mode="json"),
        "metadata": task.spec.metadata,
    }


def _moment(status: MediaTaskStatus, event: str) -> str | None:
    if event == REGISTERED and status.registration is not None:
        return status.registration.registered_at
    return status.completed_at if PHASE_OF_EVENT[event].terminal else status.started_at


def _result(task: Task, event: str, result: Result, sign: Sign) -> dict[str, Any]:
    registration = task.status.registration
    untold = event == COMPLETED and registration is not None and registration.late
    return {
        "media_url": _media_url(task, result, sign),
        # What the first try could not say, the others do not say either.
        "payload_media_id": None if untold else result.payload_media_id,
        "metadata": result.metadata,
    }


def _media_url(task: Task, result: Result, sign: Sign) -> str | None:
    """As of the task's end, on every try: a link signed anew would be other bytes. Redelivery asks for a new one."""
    if not result.artifacts or task.status.completed_at is None:
        return result.media_url
    asked_again = task.status.callback.requested_at if task.status.callback is not None else None
    return sign(result.artifacts[0].key, parse_time(asked_again or task.status.completed_at))


def signed_headers(
    content: bytes, message_id: str, secrets: Iterable[bytes], sent: datetime, agent: str
) -> dict[str, str]:
    """The headers of a message, with a signature by each secret."""
    timestamp = str(int(sent.timestamp()))
    headers = {
        "content-type": "application/json",
        "user-agent": agent,
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
    }
    signatures = [signature(secret, message_id, timestamp, content) for secret in secrets]
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def signature(secret: bytes, webhook_id: str, timestamp: str, content: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), content))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
