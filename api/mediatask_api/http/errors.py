"""One error class and one form of it on the wire: RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

from .methods import allowed_methods
from .openapi.schemas import Fault, Problem
from .request_ids import REQUEST_ID

log = get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 5
CLIENT_CLOSED_REQUEST = 499
"""For metrics only: the client went away before an answer, as nginx counts it."""


class ApiError(Exception):
    """An answer with a status >= 400.

    Attributes:
        status: HTTP status code.
        code: what went wrong, in words joined by hyphens; the end of the problem's `type`.
        detail: a sentence about this very case.
        errors: `{"loc": [...], "msg": ...}` for each faulty field.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[dict[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def invalid(detail: str, errors: Sequence[dict[str, Any]]) -> ApiError:
    """400: the request cannot be understood or is not allowed by its schema."""
    return ApiError(400, "invalid-request", detail, errors=errors)


def invalid_field(loc: Sequence[str | int], msg: str) -> ApiError:
    """400 about one field."""
    return invalid(f"{_place(loc)}: {msg}", [{"loc": list(loc), "msg": msg}])


def invalid_model(error: ValidationError, *prefix: str | int) -> ApiError:
    """400 from what pydantic found, each fault with its place."""
    errors: list[dict[str, Any]] = [
        {"loc": [*prefix, *found["loc"]], "msg": _message(found)} for found in error.errors(include_url=False)
    ]
    first = errors[0]
    return invalid(f"{_place(first['loc'])}: {first['msg']}", errors)


def _place(loc: Sequence[str | int]) -> str:
    """A place as callers name it: without `body`, `query` and the like, but where that is all."""
    return ".".join(map(str, loc[1:] or loc))


def _message(found: Mapping[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "unknown field"
    return str(found["msg"]).removeprefix("Value error, ")


def from_kube(error: KubeError) -> ApiError:
    """What a refusal of the API server means to a caller of REST."""
    if error.unavailable or error.status in (409, 410):  # a list that grew too old, a write that always collides
        return kubernetes_away("nothing was lost, try again", error.retry_after)
    if error.status in (400, 422):
        return invalid(error.message, [{"loc": ["body"], "msg": error.message}])
    return ApiError(500, "kubernetes-refused", "The Kubernetes API server refused this service's request.")


def kubernetes_away(then: str, retry_after: float | None = None) -> ApiError:
    """503 for an API server that does not answer.

    Args:
        then: what that means to the caller.
        retry_after: seconds that the API server asked for.
    """
    return ApiError(
        503,
        "kubernetes-unavailable",
        f"The Kubernetes API server does not answer now; {then}.",
        headers={"Retry-After": str(max(1, round(retry_after or RETRY_AFTER_SECONDS)))},
    )


def rate_limited(limit: str, seconds: int) -> ApiError:
    """429, until so many seconds are over."""
    headers = {"Retry-After": str(seconds)}
    return ApiError(429, "rate-limited", f"{limit}; try again in {seconds} s.", headers=headers)


def store_away(error: OSError) -> ApiError:
    """503 for an artifact store that does not answer."""
    return ApiError(
        503,
        "store-unavailable",
        f"The artifact store does not answer: {error}",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def as_problem(error: ApiError, instance: str) -> Problem:
    """The problem document of an error."""
    return Problem(
        type=f"urn:mediatask:problem:{error.code}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        instance=instance,
        errors=[Fault(**fault) for fault in error.errors],
    )


def problem(error: ApiError, instance: str) -> Response:
    """The response of an error."""
    return Response(
        orjson.dumps(as_problem(error, instance).model_dump()),
        status_code=error.status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **error.headers},
    )


def install_handlers(app: FastAPI) -> None:
    """Let every failure of the app leave as a problem document."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> Response:
        return problem(error, request.url.path)

    @app.exception_handler(KubeError)
    async def kube_error(request: Request, error: KubeError) -> Response:
        log.warning("kubernetes refused", path=request.url.path, error=str(error))
        return problem(from_kube(error), request.url.path)

    @app.exception_handler(RequestValidationError)
    async def request_invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [{"loc": list(found["loc"]), "msg": _message(found)} for found in error.errors()]
        detail = "; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in errors)
        return problem(invalid(detail, errors), request.url.path)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        headers = {"Allow": allowed_methods(request)} if error.status_code == 405 else error.headers
        refusal = ApiError(error.status_code, code, str(error.detail), headers=headers)
        return problem(refusal, request.url.path)

    @app.exception_handler(ClientDisconnect)
    async def hung_up(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)  # nobody reads it, but it is counted

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # This answer passes no middleware.
        request_id: str = getattr(request.state, "request_id", "")
        log.error("unexpected failure", path=request.url.path, request_id=request_id, exc_info=error)
        failure = ApiError(500, "internal", "An unexpected failure of this service.", headers={REQUEST_ID: request_id})
        return problem(failure, request.url.path)
