"""Who calls: every path under the API's base needs a key, but for the few that are named here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mediatask_common.times import utcnow

from ..http.errors import ApiError, problem
from .keys import ApiKey, KeyRing

HEADER = "X-API-Key"
GUARDED = "/api/"
OPEN = frozenset({"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready", "/api/v1/metrics"})


class KeyGuard:
    """Middleware that lets nobody without a valid key reach a route, whatever the route itself declares."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(GUARDED) or path in OPEN:
            return await self._app(scope, receive, send)
        secret = Headers(scope=scope).get(HEADER)
        key = self._keys.find(secret, utcnow()) if secret else None
        if key is None:
            detail = f"The key in {HEADER} is not valid." if secret else f"Send an API key in the header {HEADER}."
            refusal = ApiError(401, "not-authenticated", detail, headers={"WWW-Authenticate": "ApiKey"})
            return await problem(refusal, path)(scope, receive, send)
        scope.setdefault("state", {})["caller"] = key
        return await self._app(scope, receive, send)


# Declared for the OpenAPI document; KeyGuard has decided before.
_scheme = APIKeyHeader(name=HEADER, auto_error=False, description="`mtk_...`, made by the platform team.")


def _caller(request: Request, _: Annotated[str | None, Security(_scheme)]) -> ApiKey:
    key: ApiKey = request.state.caller
    return key


Caller = Annotated[ApiKey, Depends(_caller)]
"""The key of the request."""
