"""A reader of server-sent events, and a plain TCP balancer in front of several servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx


@dataclass(frozen=True)
class Message:
    """One event as it came."""

    kind: str
    id: str | None
    data: dict[str, Any]


class EventStream:
    """An open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments = 0
        self._lines = response.aiter_lines()

    async def __aiter__(self) -> AsyncIterator[Message]:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                if "data" in fields:
                    yield Message(fields.get("event", "message"), fields.get("id"), json.loads(fields["data"]))
                fields = {}

    async def next(self, seconds: float = 15) -> Message:
        """The next event."""
        async with asyncio.timeout(seconds):
            async for message in self:
                return message
        raise AssertionError("the stream has ended")

    async def all(self, seconds: float = 30) -> list[Message]:
        """Everything until the stream ends."""
        async with asyncio.timeout(seconds):
            return [message async for message in self]


@asynccontextmanager
async def open_events(url: str, key: str, last_id: str | None = None, **params: Any) -> AsyncIterator[EventStream]:
    """The stream at a URL."""
    headers = {"X-API-Key": key, **({"Last-Event-ID": last_id} if last_id else {})}
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(30, read=60)) as client,
        client.stream("GET", url, headers=headers, params=params) as response,
    ):
        if response.status_code != 200:
            await response.aread()
        yield EventStream(response)


@asynccontextmanager
async def balancer(ports: list[int]) -> AsyncIterator[str]:
    """A balancer that knows nothing of HTTP: connections in turn, to the next server where one takes none."""
    turn = count()
    open_connections: set[asyncio.Task[Any]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        try:
            first = next(turn)
            for offset in range(len(ports)):
                with suppress(OSError):
                    port = ports[(first + offset) % len(ports)]
                    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(carry(reader, server_writer), carry(server_reader, writer))
                    return
            writer.close()
        finally:
            open_connections.discard(task)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for task in list(open_connections):
        task.cancel()
