"""The HTTP server of a listener: uvicorn, with the time limits that it lacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

STALL_SECONDS = 60.0
"""A connection whose caller reads nothing of a waiting answer for this long is cut off."""
UNSENT_BYTES = 64 * 1024
"""What the kernel takes of an answer that its caller does not read. By itself it would take megabytes, for each of
thousands of streams, and it would take longer to see that nobody reads them."""
HEAD_BYTES = 64 * 1024
"""Largest head of a request."""
PIPELINED = 16
"""Requests that may wait on one connection for the answer to the first."""
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

    class Protocol(_GuardedProtocol):
        first_head_seconds = head_seconds
        next_head_seconds = keep_alive_seconds + head_seconds

    Protocol.stall_seconds = stall_seconds

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=None if max_connections is None else max_connections + 1,  # uvicorn refuses the last one
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=keep_alive_seconds,
    )
    return Server(config)


class _GuardedProtocol(HttpToolsProtocol):
    """Closes connections that do not get to a whole request head, and bounds what the parser keeps.

    uvicorn waits for a head for ever: its keep-alive limit ends with the first byte of the next request, and there is
    none before the first request. The parser takes heads, trailers and chunk extensions of any length.
    """

    first_head_seconds: float
    next_head_seconds: float
    stall_seconds: float
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _unused = 0
    """Bytes that were received since the last of which something came: a head, a piece of a body, an end."""
    _in_head = False

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

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # what is left of a request that was refused
        self._unused += len(data)
        super().data_received(data)
        if self._unused > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer, which nobody reads
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise ValueError("the head is too large")
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("too many requests at once")
        self._cancel()
        self._in_head = False
        self._unused = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unused = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._answering():
            self.transport.abort()  # it would pass for the answer that is still to come
        else:
            super().send_400_response(msg)

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
