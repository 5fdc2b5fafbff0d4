"""Where the MCP server lives in this process: it begins with the first request, and ends with the service."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"

Serve = Callable[[Scope, Receive, Send], Awaitable[None]]
Start = Callable[[], "StreamableHTTPSessionManager"]


class Endpoint:
    """Serves requests whose caller is known and whose body has been read."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None
        self._began: asyncio.Future[StreamableHTTPSessionManager] | None = None

    async def answer(self, request: Request, body: bytes, start: Start) -> Response:
        """The answer to a message; it is made while it is sent.

        Args:
            start: makes the server, in a thread; called with the first message.
        """
        if self._began is None:
            self._began = asyncio.get_running_loop().create_future()
            # In a context of its own: it outlives the request that it begins with.
            self._running = asyncio.create_task(self._run(self._began, start), context=contextvars.Context())
        manager = await asyncio.shield(self._began)
        return _Answer(manager.handle_request, request, body)

    async def close(self) -> None:
        """End what is being answered."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _run(self, began: asyncio.Future[StreamableHTTPSessionManager], start: Start) -> None:
        try:
            manager = await asyncio.to_thread(start)
            async with manager.run():
                began.set_result(manager)
                await asyncio.Event().wait()
        except Exception as error:
            self._began = None  # the next request tries again
            if not began.done():
                began.set_exception(error)


class _Answer(Response):
    """Lets the server answer by itself, with the body that was read before."""

    def __init__(self, serve: Serve, request: Request, body: bytes) -> None:
        self._serve = serve
        self._body: bytes | None = body
        self._hung_up = request.state.hung_up = asyncio.Event()
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def replay() -> Message:
            if self._body is not None:
                body, self._body = self._body, None
                return {"type": "http.request", "body": body, "more_body": False}
            message = await receive()
            if message["type"] == "http.disconnect":
                self._hung_up.set()
            return message

        await self._serve(scope, replay, send)
