"""What can go wrong, in few classes; every message ends with the next step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Task


class MediaTaskError(Exception):
    """Base of everything this package raises on purpose."""

    request_id: str | None = None
    """Names the request in the service's logs, where the service has answered."""


class UsageError(MediaTaskError):
    """What was given cannot be a request; nothing was sent."""


class NotConfigured(UsageError):
    """No usable service address or API key is known."""


class Unavailable(MediaTaskError):
    """The service did not answer, or answered that it cannot now, through all retries."""


class WaitTimeout(MediaTaskError):
    """The time given to `run`, `wait` or `follow` is over; the tasks go on.

    Attributes:
        task_ids: those that have not ended.
    """

    def __init__(self, message: str, task_ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.task_ids = list(task_ids)


class TaskFailed(MediaTaskError):
    """A task ended as failed or cancelled.

    Attributes:
        task: its last state.
    """

    def __init__(self, message: str, task: Task) -> None:
        super().__init__(message)
        self.task = task


class NotCompleted(MediaTaskError):
    """A task has nothing to fetch yet."""


class APIError(MediaTaskError):
    """The service refused a request.

    Attributes:
        status: HTTP status code.
        problem: the RFC 9457 document, `{}` when the answer carried none.
        errors: `[{loc, msg}]`, where the request had faults in several places.
        request_id: names the request in the service's logs.
    """

    def __init__(self, status: int, problem: dict[str, Any], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.errors: list[dict[str, Any]] = problem.get("errors") or []


class UnexpectedAnswer(APIError):
    """Something answered that does not speak this API: a proxy's page, a redirect, another service."""


class InvalidRequest(APIError):
    """The request itself is wrong (400, 413, 422): repeating it does not help."""


class AccessDenied(APIError):
    """The key is missing, wrong, expired, or not for this project (401, 403)."""


class NotFound(APIError):
    """No such task, task type or project for this key (404)."""


class Conflict(APIError):
    """The task is in a state that does not allow this (409)."""
