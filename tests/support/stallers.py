"""Callers that hold connections and do nothing useful with them, as a process of its own: `python -m support.stallers`.

Reads one JSON document with the plan from stdin, opens all connections and keeps them open, replacing each that the
server closes. Prints a line once all are there, and again whenever it is asked (a line on stdin): how many are open.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Begun = Callable[[], None]
"""Said once nothing more is to be done but to wait."""
Act = Callable[["Plan", Connection, Begun], Awaitable[None]]

DRIP_SECONDS = 1.0
SUBMIT = "/api/v1/tasks/submit"
TESTS = Path(__file__).resolve().parents[1]


class Plan:
    """Where to connect, and what is known there."""

    def __init__(self, url: str, key: str, task: str, counts: dict[str, int]) -> None:
        parts = urlsplit(url)
        self.address = parts.hostname or "", parts.port or 80
        self.key = key
        self.task = task
        self.counts = counts

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"X-API-Key: {self.key}", *more]
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"

    def half_submit(self) -> bytes:
        return self.head("POST", SUBMIT, "Content-Length: 200000") + b'{"project_id": "'


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, until the server has had enough."""
    while True:
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(b"x")
        await writer.drain()


async def silent(plan: Plan, connection: Connection, begun: Begun) -> None:
    begun()
    await connection[0].read()


async def slow_head(plan: Plan, connection: Connection, begun: Begun) -> None:
    connection[1].write(plan.head("POST", SUBMIT)[:-2] + b"X-Slow: ")
    begun()
    await drip(connection[1])


async def slow_body(plan: Plan, connection: Connection, begun: Begun) -> None:
    connection[1].write(plan.half_submit())
    begun()
    await drip(connection[1])


async def half_sent(plan: Plan, connection: Connection, begun: Begun) -> None:
    connection[1].write(plan.half_submit())
    begun()
    await connection[0].read()


async def kept_alive(plan: Plan, connection: Connection, begun: Begun) -> None:
    connection[1].write(plan.head("GET", "/api/v1/health/live"))
    await connection[0].read(65536)
    begun()
    await connection[0].read()


async def events(plan: Plan, connection: Connection, begun: Begun) -> None:
    connection[1].write(plan.head("GET", f"/api/v1/tasks/{plan.task}/events"))
    while await connection[0].read(65536):
        begun()


async def slow_reader(plan: Plan, connection: Connection, begun: Begun) -> None:
    """Asks for more than the buffers between take, and reads no more than the beginning."""
    connection[1].write(plan.head("GET", "/openapi.json") * 2)
    await connection[0].readexactly(1)
    begun()
    await asyncio.Event().wait()


KINDS: dict[str, Act] = {
    act.__name__: act for act in (silent, slow_head, slow_body, half_sent, kept_alive, events, slow_reader)
}


async def run(plan: Plan) -> None:
    open_now = 0
    waiting: set[int] = set()
    all_wait = asyncio.Event()

    async def hold(number: int, kind: str) -> None:
        nonlocal open_now

        def begun() -> None:
            waiting.add(number)
            if len(waiting) == sum(plan.counts.values()):
                all_wait.set()

        while True:
            connecting = socket.socket()
            connecting.setblocking(False)
            if kind == "slow_reader":
                connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            with suppress(OSError, EOFError):
                await asyncio.get_running_loop().sock_connect(connecting, plan.address)
                connection = await asyncio.open_connection(
                    sock=connecting, limit=16 if kind == "slow_reader" else 65536
                )
                open_now += 1
                try:
                    await KINDS[kind](plan, connection, begun)
                finally:
                    open_now -= 1
                    connection[1].close()
            # Closed by the server: come again, but not all at one moment, which would be a flood and no patience.
            await asyncio.sleep(random.uniform(0.1, 2))

    def answer() -> None:
        print(json.dumps({"open": open_now}), flush=True)

    kinds = [kind for kind, count in plan.counts.items() for _ in range(count)]
    holding = [asyncio.create_task(hold(number, kind)) for number, kind in enumerate(kinds)]
    await all_wait.wait()
    answer()
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: (sys.stdin.readline(), answer()))
    await asyncio.gather(*holding)


class Stallers:
    """The process, as a test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def open(self) -> int:
        """How many connections are open now."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        return await self._said()

    async def _said(self) -> int:
        assert self._process.stdout is not None
        async with asyncio.timeout(120):
            said: dict[str, int] = json.loads(await self._process.stdout.readline())
        return said["open"]


@asynccontextmanager
async def stallers(url: str, key: str, task: str, counts: dict[str, int]) -> AsyncIterator[Stallers]:
    """All of them are connected, until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.stallers"),
        cwd=TESTS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        plan: dict[str, Any] = {"url": url, "key": key, "task": task, "counts": counts}
        process.stdin.write(json.dumps(plan).encode() + b"\n")
        await process.stdin.drain()
        holding = Stallers(process)
        await holding._said()
        yield holding
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(run(Plan(**json.loads(sys.stdin.readline()))))
