"""Readers of event streams who read slowly, or nothing at all."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mediatask_api.app import public_app
from mediatask_api.http.server import make_server
from support.eventstream import open_events
from support.front import until
from support.processes import free_port

from .conftest import World
from .test_process import PATIENCE

MESSAGE = "x" * 1000


@asynccontextmanager
async def listening(world: World, **limits: Any) -> AsyncIterator[int]:
    """The API on a port of its own."""
    port = free_port()
    server = make_server(public_app(world.services), "127.0.0.1", port, **limits)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield port
    server.should_exit = True
    await serving


def follow(port: int, path: str, key: str) -> socket.socket:
    """A caller who asks for a stream and then reads nothing of it."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    caller.settimeout(PATIENCE)
    caller.connect(("127.0.0.1", port))
    caller.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
    return caller


def rest(caller: socket.socket) -> list[tuple[str, dict[str, Any]]]:
    """All that the caller was sent, and the end of the stream."""
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        part = caller.recv(65536)
        assert part, "cut off without a word"
        received += part
    chunks, body = received.partition(b"\r\n\r\n")[2], b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body, chunks = body + chunks[: int(size, 16)], chunks[int(size, 16) + 2 :]
    found = []
    for message in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def running_task(world: World) -> tuple[str, str]:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=1, progress=0.0)
    return task_id, await world.token(await world.pod(task_id))


async def held(world: World, count: int) -> None:
    """Wait until so many streams are open."""

    async def open_now() -> bool:
        return world.services.caps.streams._held.total() == count

    await until(open_now)


async def test_who_falls_behind_is_told_why_and_nobody_else_loses_anything(world: World) -> None:
    task_id, token = await running_task(world)
    key = world.api.headers["X-API-Key"]
    steps = 500
    async with listening(world) as port:
        slow = {
            path: await asyncio.to_thread(follow, port, path, key)
            for path in (f"/tasks/{task_id}/events", "/projects/film/events")
        }
        await held(world, 2)
        async with open_events(f"http://127.0.0.1:{port}/api/v1/tasks/{task_id}/events", key) as quick:
            assert (await quick.next()).kind == "started"

            async def read() -> list[str]:
                return [(await quick.next(PATIENCE)).data["current_step"] for _ in range(steps)]

            reading = asyncio.create_task(read())
            for number in range(steps):
                report = {"attempt": 1, "progress": number / steps, "step": f"step_{number}", "message": MESSAGE}
                assert (await world.report(token, task_id, "progress", **report)).status_code == 200
            assert await reading == [f"step_{number}" for number in range(steps)]
        for caller in slow.values():
            told = await asyncio.to_thread(rest, caller)
            assert told[0][0] == "started"
            assert told[-1] == ("closed", {"reason": "slow_reader", "detail": told[-1][1]["detail"]})
            progress = [data["current_step"] for kind, data in told if kind == "progress"]
            assert progress == [f"step_{number}" for number in range(len(progress))], "in order, without a gap"
            assert len(progress) < 250, "cut off before long"
            caller.close()
        await held(world, 0)


async def test_who_reads_nothing_at_all_is_cut_off(world: World) -> None:
    task_id, token = await running_task(world)
    async with listening(world, stall_seconds=0.5) as port:
        caller = await asyncio.to_thread(follow, port, f"/tasks/{task_id}/events", world.api.headers["X-API-Key"])
        await held(world, 1)
        cap = world.services.caps.streams
        for number in itertools.count():
            assert number < 2000, "never cut off"
            report = {"attempt": 1, "progress": 0.5, "step": f"step_{number}", "message": MESSAGE}
            assert (await world.report(token, task_id, "progress", **report)).status_code == 200
            if cap._held.total() == 0:
                break
        caller.close()
