"""What became of a task's webhook."""

from __future__ import annotations

from typing import Literal

from ..http.schemas import Rest


class WebhookTry(Rest):
    """One try to deliver it."""

    number: int
    """Counts from 1; every try carries the same webhook id."""
    at: str
    """When its outcome was known; RFC 3339, UTC."""
    status_code: int | None
    """The receiver's answer; null where there was none."""
    error: str | None
    """Why it failed; null where the receiver accepted it."""


class WebhookAnswer(Rest):
    """The webhook of the last event that the task told of."""

    task_id: str
    receiver: str
    """Scheme and host of the callback URL; the rest of it may be a secret."""
    state: Literal["waiting", "pending", "retrying", "delivered", "failed"]
    """`waiting` for an event; `pending`: the first try is about to be made; `failed`: no further try is made."""
    webhook_id: str | None
    event: str | None
    """For example `task.completed`."""
    attempts: int
    next_attempt_at: str | None
    delivered_at: str | None
    tries: list[WebhookTry]
    """The last 20, oldest first."""
