"""What can go wrong, in few classes; every message ends with the next step."""

from __future__ import annotations

from typing import Any

import httpx


class MediaTaskError(Exception):
    """Base of everything this package raises on purpose."""


class NotConfigured(MediaTaskError):
    """No service address or no API key is known."""


class Unavailable(MediaTaskError):
    """The service did not answer, or answered that it cannot now, through all retries."""


class WaitTimeout(MediaTaskError):
    """The time given to `wait` or `follow` is over; the tasks go on."""


class TaskFailed(MediaTaskError):
    """A task ended as failed or cancelled."""


class NotCompleted(MediaTaskError):
    """A task has nothing to fetch yet."""


class APIError(MediaTaskError):
    """The service refused a request.

    Attributes:
        status: HTTP status code.
        problem: the RFC 9457 document, `{}` when the answer carried none.
        errors: `[{loc, msg}]`, where the request had faults in several places.
    """

    def __init__(self, status: int, problem: dict[str, Any], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.errors: list[dict[str, Any]] = problem.get("errors") or []


class InvalidRequest(APIError):
    """The request itself is wrong (400, 413, 422): mend it, repeating does not help."""


class AccessDenied(APIError):
    """The key is missing, wrong, expired, or not for this project (401, 403)."""


class NotFound(APIError):
    """No such task, task type or project for this key (404)."""


class Conflict(APIError):
    """The task is in a state that does not allow this (409)."""


_CLASSES: dict[int, type[APIError]] = {
    400: InvalidRequest,
    413: InvalidRequest,
    422: InvalidRequest,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
}
_NEXT_STEP = {
    401: "Give a valid key: --api-key, MEDIATASK_API_KEY, or run next to a started `mediatask up`.",
    403: "Use a key whose projects include this one.",
    404: "`mediatask list --project P` shows the tasks of a project that this key may see.",
    409: "`mediatask get ID` shows the state it is in.",
    413: "Send large inputs by URL, not inside the request.",
}


def from_response(response: httpx.Response) -> APIError:
    """The exception of an answer with status >= 400, whose body has been read."""
    problem = _problem(response)
    status = response.status_code
    text = problem.get("detail") or problem.get("title") or response.reason_phrase or "refused"
    lines = [f"{text} (HTTP {status})"]
    lines += [f"  {_place(error.get('loc'))}: {error.get('msg')}" for error in problem.get("errors") or []]
    if status in _NEXT_STEP:
        lines.append(_NEXT_STEP[status])
    return _CLASSES.get(status, APIError)(status, problem, "\n".join(lines))


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _place(loc: Any) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else str(loc)
