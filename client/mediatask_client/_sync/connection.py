# Generated from `_async` by `make client`.
"""A connection to one service, and how calls are carried out."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from ..config import Token, resolve
from ..credentials import Credential
from ..rest import calls
from ..rest.failures import failure
from ..rest.transport import options

T = TypeVar("T")


class Connected:
    """What the parts of the client build on; its arguments are described there."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        folder: Path | None = None,
        *,
        token: Token | None = None,
        timeout: float | httpx.Timeout | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        self.connection = resolve(url, api_key, folder, token=token)
        self._credential = Credential(self.connection)
        self._limits: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        self._http = http_client or httpx.Client(**options(self.connection.url))
        self._http_is_own = http_client is None

    def close(self) -> None:
        """Close the connections, unless the HTTP client was given."""
        if self._http_is_own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: calls.Call[T]) -> T:
        tries = 0
        while True:
            tries += 1
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(
                    call.method,
                    self.connection.url + call.path,
                    params=call.params,
                    content=call.body,
                    headers=call.headers,
                    auth=self._credential,
                    follow_redirects=False,
                    **self._limits,
                )
                if outcome.is_success:
                    return call.read(outcome)
            except httpx.RequestError as error:
                outcome = error
            pause = calls.delay(call, tries, outcome)
            if pause is None:
                raise failure(self.connection.url, outcome)
            time.sleep(pause)
