"""The last seconds of the process: it still answers, and asks everyone to come back on another connection.

Kubernetes takes a pod out of its Services while it tells it to stop, and both take a moment to get around. So for
`drain_seconds` everything is served as before, but each answer ends its connection: whoever is connected turns to
another replica by itself, and no request meets a closed door.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from .sending import with_headers


class Drain:
    """Whether the process is about to end."""

    def __init__(self) -> None:
        self.started = False

    def start(self) -> None:
        """From now on connections end with their next answer, and requests that only wait are answered."""
        self.started = True


class Farewell:
    """Middleware that adds `Connection: close` to every answer once draining."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, with_headers(send, self._close) if scope["type"] == "http" else send)

    def _close(self, headers: MutableHeaders) -> None:
        if self._drain.started:
            headers["connection"] = "close"
