"""Two hundred readers of event streams who read nothing, while jobs report as fast as they can."""

from __future__ import annotations

import asyncio
import re
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from integration.api.conftest import World
from integration.api.test_events import Front, Replica
from integration.api.test_process import PATIENCE, process
from integration.api.test_slow_readers import MESSAGE, follow
from support.front import until

SLOW = 200
TASKS = 4
REPORTS = 400
MEMORY = 64
"""MiB that the process may grow by."""


def resident(pid: int) -> float:
    """MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


async def test_readers_who_do_not_read(
    world: World, tmp_path: Path, kubeconfig: Path, namespace: str, figure: Callable[[str], None]
) -> None:
    async with AsyncExitStack() as stack:
        opened: Any = process(tmp_path, kubeconfig, namespace)
        client, internal, running = await asyncio.to_thread(stack.enter_context, opened)
        key, port = client.headers["X-API-Key"], client.base_url.port
        front = Front("", key, [Replica(port, internal, running)], world)
        tasks = [await front.running_task() for _ in range(TASKS)]
        quick = {each: await stack.enter_async_context(front.events(each, replica=0)) for each in tasks}
        for stream in quick.values():
            assert (await stream.next(PATIENCE)).kind == "started"
        job = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{internal}/internal/v1/tasks", timeout=PATIENCE)
        )
        sent: dict[tuple[str, str], float] = {}

        async def report(task_id: str, first: int) -> None:
            for number in range(first, first + REPORTS):
                sent[task_id, f"step_{number}"] = time.monotonic()
                answer = await job.post(
                    f"/{task_id}/progress",
                    json={"attempt": 1, "progress": number / 1000, "step": f"step_{number}", "message": MESSAGE},
                    headers={"Authorization": f"Bearer {front.tokens[task_id]}"},
                )
                assert answer.status_code == 200

        async def read(task_id: str, first: int) -> list[float]:
            took = []
            for number in range(first, first + REPORTS):
                message = await quick[task_id].next(PATIENCE)
                assert message.data["current_step"] == f"step_{number}", "every event once, in order"
                took.append(time.monotonic() - sent[task_id, f"step_{number}"])
            return took

        async def flood(first: int) -> float:
            """The p99, in milliseconds, of a report's way to those who read."""
            reading = [asyncio.create_task(read(each, first)) for each in tasks]
            await asyncio.gather(*(report(each, first) for each in tasks))
            took = [each for times in await asyncio.gather(*reading) for each in times]
            return statistics.quantiles(took, n=100)[98] * 1000

        alone = await flood(0)
        slow: list[socket.socket] = []
        for number in range(SLOW):
            path = f"/tasks/{tasks[number % TASKS]}/events"
            slow.append(await asyncio.to_thread(follow, port, path, key))
        stack.callback(lambda: [each.close() for each in slow])

        async def all_follow() -> bool:
            return all(each.recv(1, socket.MSG_PEEK) for each in slow)

        await until(all_follow)
        before = resident(running.pid)
        beside = await flood(REPORTS)
        grown = resident(running.pid) - before
        figure(
            f"{SLOW} readers of nothing, {2 * TASKS * REPORTS} reports of 1 KB: {grown:.0f} MiB more (goal {MEMORY}), "
            f"p99 to those who read {beside:.0f} ms, alone {alone:.0f} ms"
        )
        assert grown <= MEMORY
