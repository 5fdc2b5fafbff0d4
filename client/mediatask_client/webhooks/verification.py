"""Verify webhooks in a receiver: Standard Webhooks v1 (HMAC-SHA256), with the standard library alone.

    event = verify(request.body, request.headers, "whsec_...")

The same `webhook-id` may arrive more than once (delivery is at least once): remember the ids you have handled.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

SECRET_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


class WebhookError(ValueError):
    """Not a genuine, recent webhook: answer 400 and do nothing else with it."""


class WebhookEvent(TypedDict):
    """The body of a webhook."""

    type: str
    """What happened, for example `task.completed`."""
    timestamp: str
    task_id: str
    status: str
    project_id: str
    result: dict[str, Any] | None
    error: Any
    metadata: dict[str, Any]
    """The metadata of the submit request."""


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secrets: str | Iterable[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent:
    """The event, once it is certain who sent it.

    Args:
        body: exactly as received, before any JSON parser touched it.
        headers: of the request, in any case.
        secrets: one `whsec_...`, or several while secrets are being rotated.
        tolerance: how far the sender's clock may be off, in seconds either way; older ones may be replays.
        now: Unix time, for tests.

    Raises:
        WebhookError: a header is missing, the time is off, no signature matches, or the body is not a JSON object.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (found[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookError(f"header {missing} is missing") from None
    _check_time(timestamp, tolerance, time.time() if now is None else now)

    raw = body.encode() if isinstance(body, str) else body
    signed = f"{message_id}.{timestamp}.".encode() + raw
    given = [entry.partition(",")[2] for entry in signatures.split(" ") if entry.startswith("v1,")]
    # No early exit: the time taken must not tell which secret or signature matches.
    genuine = False
    for secret in [secrets] if isinstance(secrets, str) else secrets:
        expected = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256))
        for signature in given:
            genuine |= hmac.compare_digest(expected, signature.encode(errors="replace"))
    if not genuine:
        raise WebhookError("no signature matches")
    return _event(raw)


def _check_time(timestamp: str, tolerance: float, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookError("webhook-timestamp is not a Unix time in seconds")
    if abs(now - int(timestamp)) > tolerance:
        raise WebhookError("webhook-timestamp is too far from now")


def _key(secret: str) -> bytes:
    """The secret's bytes. Raises ValueError: a wrong setting is the receiver's fault, not the sender's."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret reads whsec_ followed by base64") from error


def _event(raw: bytes) -> WebhookEvent:
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookError("the body is not a JSON object")
    return event  # type: ignore[return-value]  # the signature vouches for the shape
