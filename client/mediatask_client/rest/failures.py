"""Exceptions for requests without a usable answer. No I/O."""

from __future__ import annotations

from typing import Any

import httpx

from ..errors import (
    AccessDenied,
    APIError,
    Conflict,
    InvalidRequest,
    MediaTaskError,
    NotFound,
    Unavailable,
    UnexpectedAnswer,
)

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
    401: "Give a valid key or token: --api-key, MEDIATASK_API_KEY, MEDIATASK_TOKEN_FILE, or run next to a started "
    "`mediatask up`.",
    403: "Use a key whose projects include this one.",
    404: "`mediatask list --project P` shows the tasks of a project that this key may see.",
    409: "`mediatask get ID` shows the state it is in.",
    413: "Send large inputs by URL, not inside the request.",
}
_NEXT_STEP_OF = {
    "urn:mediatask:problem:upload-quota-exceeded": "Name files that are uploaded already (upload://...), or wait until "
    "unused ones expire.",
}
"""By the problem's type, in the place of what its status suggests."""


def failure(url: str, outcome: httpx.Response | httpx.RequestError) -> MediaTaskError:
    """The exception for what came of the last try."""
    if isinstance(outcome, httpx.RequestError):
        return unreachable(url, outcome)
    refused = refusal(outcome)
    if outcome.status_code not in (429, 502, 503, 504):
        return refused
    unavailable = Unavailable(f"{refused}\nThe service cannot take this now: try again in a while.")
    unavailable.request_id = refused.request_id
    return unavailable


def unreachable(url: str, error: httpx.RequestError) -> Unavailable:
    why = str(error) or type(error).__name__
    return Unavailable(
        f"{url} does not answer ({why}): is the address right, and the service up? "
        "`mediatask up` starts one on this machine."
    )


def unexpected(response: httpx.Response) -> UnexpectedAnswer:
    """The exception of a successful answer that is none of this API."""
    kind = response.headers.get("content-type", "nothing").partition(";")[0]
    where = f"{response.url.scheme}://{response.url.netloc.decode()}"
    message = f"the server at {where} is not MediaTask ({kind}, HTTP {response.status_code}): is the address right?"
    return UnexpectedAnswer(response.status_code, {}, message)


def refusal(response: httpx.Response) -> APIError:
    """The exception of an answer without success, whose body has been read."""
    status = response.status_code
    if response.has_redirect_location:
        target = response.headers["location"]
        message = f"the service redirects to {target} (HTTP {status}), where the API key is not sent: give that address"
        return UnexpectedAnswer(status, {}, message)
    problem = _problem(response)
    faults = [f"{_place(fault.get('loc'))}: {fault.get('msg')}" for fault in problem.get("errors", [])]
    # The detail of a problem with a list of faults only repeats them.
    fields = ("title",) if faults else ("detail", "title")
    text = next((str(problem[name]) for name in fields if problem.get(name)), response.reason_phrase or "refused")
    request_id = response.headers.get("x-request-id")
    named = f", request {request_id}" if request_id else ""
    lines = [f"{text} (HTTP {status}{named})", *(f"  {fault}" for fault in faults)]
    if next_step := _NEXT_STEP_OF.get(str(problem.get("type")), _NEXT_STEP.get(status)):
        lines.append(next_step)
    error = _CLASSES.get(status, APIError)(status, problem, "\n".join(lines))
    error.request_id = request_id
    return error


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    errors = body.get("errors")
    return {**body, "errors": [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []}


def _place(loc: Any) -> str:
    """`task_data.width`, whether or not the service says in which part of the request the field is."""
    parts = list(map(str, loc)) if isinstance(loc, list) else [str(loc)]
    return ".".join(parts[1:] if parts[0] in ("body", "query", "path", "header") and len(parts) > 1 else parts)
