"""What became of a task's webhook."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from ..http.openapi.schemas import Rest


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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
                    "receiver": "https://main-app.com",
                    "state": "delivered",
                    "webhook_id": "de77343d-527d-51f6-9629-355eaf2be343",
                    "event": "task.completed",
                    "attempts": 2,
                    "next_attempt_at": None,
                    "delivered_at": "2025-09-24T10:35:36Z",
                    "tries": [
                        {"number": 1, "at": "2025-09-24T10:35:31Z", "status_code": 503, "error": "answered 503"},
                        {"number": 2, "at": "2025-09-24T10:35:36Z", "status_code": 204, "error": None},
                    ],
                }
            ]
        }
    )

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
