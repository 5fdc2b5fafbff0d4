"""Who may call a route, as the route says it: `require("tasks:submit")`, `known` or `public`."""

# No annotations as strings here: FastAPI cannot resolve those of objects that are dependencies.

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from mediatask_common.access.roles import SCOPES

from ..http.errors import ApiError, kubernetes_away, rate_limited
from ..http.route import Access
from .authenticators import Authentication, unauthenticated
from .keyring import API_KEY_HEADER
from .principal import Principal

RECHECK_SECONDS = 2.0
"""How often the right to an answer that lasts is looked at."""

T = TypeVar("T")


class _Known(Access):
    """Callers with a valid credential, whatever they may do."""

    schemes = {
        "APIKeyHeader": {
            "type": "apiKey",
            "description": "`mtk_...`, made by the platform team.",
            "in": "header",
            "name": API_KEY_HEADER,
        },
        "HTTPBearer": {
            "type": "http",
            "description": "A JWT of the identity provider, or a service account's token.",
            "scheme": "bearer",
        },
    }
    refusals: tuple[ApiError, ...] = (
        unauthenticated(f"The key in {API_KEY_HEADER} is not valid.", "ApiKey"),
        rate_limited("This caller may send 12000 requests a minute", 2),
        kubernetes_away("nothing was lost, try again"),
    )

    async def __call__(self, request: Request) -> None:
        authentication: Authentication = request.app.state.authentication
        principal = await authentication.principal(request.headers)
        request.state.principal = principal
        await request.app.state.services.limiter.count_request(request, principal.id)


class _Required(_Known):
    """Callers with a scope."""

    def __init__(self, scope: str) -> None:
        if scope not in SCOPES:
            raise ValueError(f"there is no scope {scope!r}")
        self.scope = scope
        unknown, *others = _Known.refusals
        self.refusals = (unknown, _scope_missing(scope), *others)

    async def __call__(self, request: Request) -> None:
        await super().__call__(request)
        check_scope(request.state.principal, self.scope)


def check_scope(caller: Principal, scope: str) -> None:
    """Raises ApiError (403) for a caller without the scope."""
    if scope not in caller.scopes:
        raise _scope_missing(scope)


def _scope_missing(scope: str) -> ApiError:
    return ApiError(403, "scope-missing", f"This call needs the scope {scope}.")


class _Public(Access):
    """Everybody."""

    async def __call__(self, request: Request) -> None:
        return None


def require(scope: str) -> Any:
    """For the `dependencies` of a route: only callers with this scope."""
    return Depends(_Required(scope))


async def principal_now(request: Request) -> Principal | None:
    """The caller of a request that lasts, by its credentials as they are now; None once they are not valid any more.

    What cannot be checked at the moment is as it was.
    """
    authentication: Authentication = request.app.state.authentication
    known: Principal = request.state.principal
    try:
        return await authentication.principal(request.headers)
    except ApiError as error:
        return None if error.status == 401 else known
    except Exception:
        return known


async def still_allowed(request: Request) -> bool:
    """Whether the caller of a request that lasts would be let in as it was."""
    known: Principal = request.state.principal
    return await principal_now(request) == known


def access_ended() -> ApiError:
    """401."""
    return unauthenticated("The credentials are not valid any more.", "ApiKey")


async def while_allowed(request: Request, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """The items of an answer that lasts, until the caller would no longer be let in: a revoked key, a token that ended.

    Looks on a timer, whether items come or not. For routes that require a scope.
    """
    waiting: asyncio.Timeout | None = None

    async def watch() -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if not await still_allowed(request):
                break
        if waiting is not None:
            waiting.reschedule(asyncio.get_running_loop().time())

    watching = asyncio.create_task(watch())
    try:
        while not watching.done():
            try:
                # In the reader's own task, so that nothing reads on once that is cancelled.
                async with asyncio.timeout(None) as waiting:
                    item = await anext(items)
            except (StopAsyncIteration, TimeoutError):
                return
            finally:
                waiting = None
            yield item
    finally:
        watching.cancel()


public = Depends(_Public())
"""For the `dependencies` of a route: everybody, without a key."""
known = Depends(_Known())
"""The same: every caller with a valid credential. The route asks for scopes itself (`check_scope`)."""


def check_project(caller: Principal, project: str) -> None:
    """Raises ApiError (404) for a project that is not the caller's: whether there is one is nobody else's business."""
    if not caller.allows(project):
        raise project_not_found(project)


def project_not_found(project: str) -> ApiError:
    """404."""
    return ApiError(404, "project-not-found", f"There is no project {project!r}.")


def project_not_allowed(project: str) -> ApiError:
    """403, for what is to be made in a project."""
    return ApiError(403, "project-not-allowed", f"This key may not use the project {project!r}.")


async def _caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""The caller of a route that requires a scope."""
