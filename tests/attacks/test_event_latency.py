"""How long a job's report takes to 200 open streams, over two replicas, and that no reader holds up another."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from integration.api.conftest import World
from integration.api.test_events import Front, two_replicas
from integration.api.test_process import PATIENCE
from support.redisserver import redis_server

STREAMS = 200
TASKS = 20
REPORTS = 10


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "no redis"])
async def test_progress_to_two_hundred_streams(
    world: World, tmp_path: Path, kubeconfig: Path, namespace: str, figure: Callable[[str], None], with_redis: bool
) -> None:
    async with AsyncExitStack() as stack:
        redis = await asyncio.to_thread(stack.enter_context, redis_server()) if with_redis else None
        replicas = two_replicas(tmp_path, kubeconfig, namespace, redis)
        key, found = await asyncio.to_thread(stack.enter_context, replicas)
        front = Front("", key, found, world)
        tasks = [await front.running_task() for _ in range(TASKS)]
        # Without Redis the replica that is told tells its own readers at once.
        streams = [
            (
                task_id,
                await stack.enter_async_context(front.events(task_id, replica=number % 2 if with_redis else 0)),
            )
            for number in range(STREAMS // TASKS)
            for task_id in tasks
        ]
        for _, stream in streams:
            assert (await stream.next(PATIENCE)).kind == "started"
        sent: dict[tuple[str, str], float] = {}
        took: list[float] = []

        async def read(task_id: str, stream: object) -> None:
            count = 0
            async for message in stream:  # type: ignore[attr-defined]
                took.append(time.monotonic() - sent[task_id, message.data["current_step"]])
                count += 1
                if count == REPORTS:
                    return

        reading = [asyncio.create_task(read(*each)) for each in streams]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found[0].internal}", timeout=PATIENCE) as job:
            for number in range(1, REPORTS + 1):
                for task_id in tasks:
                    step = f"step_{number}"
                    sent[task_id, step] = time.monotonic()
                    answer = await job.post(
                        f"/internal/v1/tasks/{task_id}/progress",
                        json={"attempt": 1, "progress": number / 100, "step": step},
                        headers={"Authorization": f"Bearer {front.tokens[task_id]}"},
                    )
                    assert answer.status_code == 200
                    await asyncio.sleep(0.5 / TASKS)  # each job reports twice a second
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*reading)
        assert len(took) == STREAMS * REPORTS
        p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
        figure(f"{STREAMS} streams, {len(took)} events: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms (goal 250 ms)")
