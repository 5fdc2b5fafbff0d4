"""Requests on the wire that are larger, longer or more than any client sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from mediatask_api.http.server import HEAD_BYTES, PIPELINED, make_server
from support.front import until
from support.processes import free_port

PATIENCE = 60
"""Seconds that an answer or an end may take on a busy machine."""
LARGE = 8 * 1024 * 1024
"""What is not taken of anybody, even with what the kernel's buffers hold."""
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class App:
    """Answers with the length of the body. What it is asked for at /held it answers once it may, without the body."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    scopes: list[Scope] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        length = 0
        message: Message = {}
        if scope["path"] == "/held":
            await self.may_answer.wait()
        else:
            while message.get("more_body", True):
                message = await receive()
                length += len(message.get("body", b""))
        body = b"%d bytes" % length
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Wire:
    """A connection to the server."""

    app: App
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def flood(self, content: bytes) -> int:
        """How many bytes are sent before the server ends the connection, `LARGE` at most."""
        sent = 0
        try:
            while sent < LARGE and not self.reader.at_eof():
                await self.send(content)
                sent += len(content)
        except OSError:
            pass
        return sent

    async def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            try:
                while part := await self.reader.read(65536):
                    received += part
            except OSError:
                pass
        return received


@asynccontextmanager
async def connected() -> AsyncIterator[Wire]:
    app, port = App(), free_port()
    server = make_server(app, "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(app, reader, writer)
    finally:
        app.may_answer.set()
        writer.transport.abort()
        server.should_exit = True
        await serving


async def test_a_head_that_is_too_large_is_refused() -> None:
    async with connected() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * HEAD_BYTES + b"\r\n\r\n")
        assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
        assert not wire.app.scopes


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"X-Long: ", b"a" * 1000), (b"", b"X-One-More: a\r\n" * 64)],
    ids=["one-header", "many-headers"],
)
async def test_a_head_without_an_end_is_refused(start: bytes, more: bytes) -> None:
    async with connected() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + start)
        assert await wire.flood(more) < LARGE
        assert not wire.app.scopes


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"0\r\nX-Long: ", b"a" * 1000), (b"0\r\n", b"X-One-More: a\r\n" * 64), (b"1;extension=", b"a" * 1000)],
    ids=["one-trailer", "many-trailers", "chunk-extension"],
)
async def test_what_is_no_part_of_a_body_is_bounded(start: bytes, more: bytes) -> None:
    async with connected() as wire:
        await wire.send(CHUNKED.replace(b"POST / ", b"POST /held ") + start)
        assert await wire.flood(more) < LARGE
        assert len(wire.app.scopes) == 1
        assert len(wire.app.scopes[0]["headers"]) == 2, "trailers are no headers"


async def test_a_body_of_many_small_chunks_is_read_whole() -> None:
    count = HEAD_BYTES
    async with connected() as wire:
        await wire.send(CHUNKED + b"1\r\na\r\n" * count + b"0\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert (await wire.reader.readuntil(b"bytes")).endswith(b"\r\n\r\n%d bytes" % count)


async def test_requests_in_a_row_are_answered_in_order() -> None:
    async with connected() as wire:
        bodies = [b"a" * length for length in range(PIPELINED)]
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        await wire.send(b"".join(head % len(body) + body for body in bodies))
        for body in bodies:
            async with asyncio.timeout(PATIENCE):
                assert (await wire.reader.readuntil(b"bytes")).endswith(b"\r\n\r\n%d bytes" % len(body))


async def test_thousands_of_requests_in_a_row_are_not_kept() -> None:
    async with connected() as wire:
        await wire.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
        assert await wire.rest() == b""
        assert len(wire.app.scopes) <= 1


async def test_what_follows_a_request_and_is_none_does_not_pass_for_its_answer() -> None:
    async with connected() as wire:
        await wire.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\x02\r\n\r\n")
        assert await wire.rest() == b""
