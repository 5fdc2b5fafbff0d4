"""The load generator of `make bench PART=rest`: what it sends, and what it counts as an answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Seen:
    """What the server has seen: paths in order, and connections."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.connections = 0


@asynccontextmanager
async def server(*, stream: bool) -> AsyncIterator[tuple[int, Seen]]:
    """Answers each request in two pieces: with a body, or with the first of many events."""
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen.paths.append(head.split()[1].decode())
                status = b"404 Not Found" if b"missing" in head else b"200 OK"
                if stream:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nevent: queued")
                    await writer.drain()
                    writer.write(b"\ndata: {}\n\n")
                    continue
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nhe")
                await writer.drain()
                writer.write(b"llo")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1")
    async with listening:
        yield listening.sockets[0].getsockname()[1], seen


async def generate(port: int, *paths: str, **plan: Any) -> tuple[int, Any, str]:
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.rest.generator",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(json.dumps({"port": port, "requests": requests, **plan}).encode())
    assert process.returncode is not None
    return process.returncode, json.loads(output or "null"), errors.decode()


async def test_each_client_sends_its_next_request_over_the_same_connection() -> None:
    async with server(stream=False) as (port, seen):
        code, found, errors = await generate(port, "/a", "/missing", clients=4, count=20)
    assert code == 0, errors
    assert found["answers"] == {"200": 10, "404": 10}
    assert len(found["latencies"]) == 20
    assert min(found["latencies"]) > 0
    assert seen.connections == 4
    assert sorted(seen.paths) == ["/a"] * 10 + ["/missing"] * 10


async def test_a_stream_is_given_up_after_its_first_event() -> None:
    async with server(stream=True) as (port, seen):
        code, found, errors = await generate(port, "/events", clients=3, count=9, stream=True)
    assert code == 0, errors
    assert found["answers"] == {"200": 9}
    assert len(seen.paths) == 9


async def test_no_answer_is_no_figure() -> None:
    async with server(stream=False) as (port, _):
        pass
    code, found, errors = await generate(port, "/a", clients=1, count=1)
    assert code == 1
    assert found is None
    assert "ConnectionRefusedError" in errors
