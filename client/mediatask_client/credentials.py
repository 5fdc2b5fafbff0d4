"""The credential of a request: an API key, or a bearer token that may change meanwhile."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx

from .config import AsyncToken, Connection, printable
from .errors import NotConfigured, UsageError

LONGEST_TOKEN = 64 * 1024
NO_CREDENTIAL = httpx.Auth()
"""For addresses that are signed, and belong to others."""


class Credential(httpx.Auth):
    """Puts the credential of a connection on each request that it is given to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._token()
        if inspect.iscoroutine(token):
            token.close()
            raise UsageError("the token comes from a coroutine function, which only AsyncClient can await")
        self._sign(request, token)
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = self._token()
        self._sign(request, await token if inspect.isawaitable(token) else token)
        yield request

    def _token(self) -> object:
        return None if self._connection.token is None else _current(self._connection.token)

    def _sign(self, request: httpx.Request, token: object) -> None:
        if token is None:
            request.headers["X-API-Key"] = self._connection.api_key or ""
        else:
            request.headers["Authorization"] = f"Bearer {printable(str(token), 'token')}"


def _current(token: AsyncToken) -> object:
    """The token as it is now, or what has to be awaited for it."""
    if isinstance(token, str):
        return token
    if callable(token):
        return token()
    # Whoever rotates it replaces the file: it is small, and read anew for each request.
    try:
        with Path(token).open() as file:
            return file.read(LONGEST_TOKEN)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NotConfigured(f"the token cannot be read from {token}: {why}") from error
