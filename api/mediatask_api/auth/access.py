"""Who may call a route, as the route says it: `require("tasks:submit")`, or `public`."""

# No annotations as strings here: FastAPI cannot resolve those of objects that are dependencies.

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from mediatask_common.access.roles import SCOPES

from ..http.errors import ApiError
from ..http.route import Access
from .authenticators import Authentication
from .keyring import API_KEY_HEADER
from .principal import Principal

_key = APIKeyHeader(name=API_KEY_HEADER, auto_error=False, description="`mtk_...`, made by the platform team.")
_token = HTTPBearer(auto_error=False, description="A JWT of the identity provider, or a service account's token.")


class _Required(Access):
    """Callers with a scope."""

    def __init__(self, scope: str) -> None:
        if scope not in SCOPES:
            raise ValueError(f"there is no scope {scope!r}")
        self.scope = scope

    async def __call__(
        self,
        request: Request,
        _k: Annotated[str | None, Depends(_key)] = None,
        _t: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)] = None,
    ) -> None:
        authentication: Authentication = request.app.state.authentication
        principal = await authentication.principal(request.headers)
        request.state.principal = principal
        if self.scope not in principal.scopes:
            raise ApiError(403, "scope-missing", f"This call needs the scope {self.scope}.")


class _Public(Access):
    """Everybody."""

    async def __call__(self, request: Request) -> None:
        return None


def require(scope: str) -> Any:
    """For the `dependencies` of a route: only callers with this scope."""
    return Depends(_Required(scope))


public = Depends(_Public())
"""For the `dependencies` of a route: everybody, without a key."""


def _caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""The caller of a route that requires a scope."""
