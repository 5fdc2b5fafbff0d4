"""The HTTP server of a listener: uvicorn, with the time limits that it lacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

STALL_SECONDS = 60.0
"""A connection whose caller reads nothing of a waiting answer for this long is cut off."""
UNSENT_BYTES = 64 * 1024
"""What the kernel takes of an answer that its caller does not read. By itself it would take megabytes, for each of
thousands of streams, and it would take longer to see that nobody reads them."""
GRACE_SECONDS = 20
"""Time for open requests after the last accepted one; the pod's grace period is longer than this and draining."""


class Server(uvicorn.Server):
    """A server that leaves signals to the process, which has several of them to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    head_seconds: float = 15,
    keep_alive_seconds: int = 75,
    stall_seconds: float = STALL_SECONDS,
    max_connections: int | None = None,
) -> Server:
    """A server for an app, not started yet.

    Args:
        head_seconds: time for a connection to send the head of a request.
        keep_alive_seconds: how long it may be idle between requests.
        stall_seconds: how long it may leave a waiting answer unread.
        max_connections: beyond them requests are answered with 503.
    """

    class Protocol(_TimedProtocol):
        first_head_seconds = head_seconds
        next_head_seconds = keep_alive_seconds + head_seconds

    Protocol.stall_seconds = stall_seconds

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=None if max_connections is None else max_connections + 1,  # uvicorn refuses the last one
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=keep_alive_seconds,
    )
    return Server(config)


class _TimedProtocol(H11Protocol):
    """Closes connections that do not get to a whole request head: uvicorn waits for them for ever.

    Its keep-alive limit ends with the first byte of the next request, and there is none before the first request.
    """

    first_head_seconds: float
    next_head_seconds: float
    stall_seconds: float
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        # Not closed but aborted: what waits in the buffer would be waited for, too.
        self._stalled = self._stalled or self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reads_again()

    def _reads_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._expect_head(self.first_head_seconds)

    def handle_events(self) -> None:
        super().handle_events()
        if self._answering():
            self._cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._answering():  # of pipelined requests the next may be in work already
            self._expect_head(self.next_head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._reads_again()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self, seconds: float) -> None:
        self._cancel()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self._answering():
            self.transport.close()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
