"""A thousand connections that are silent, drip, stop half way or are never read, beside callers who submit."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

from integration.api.conftest import PROMPT
from mediatask_common.kube import TASKS
from support.front import Figure, p99
from support.stallers import stallers

COUNTS = {
    "silent": 200,
    "slow_head": 200,
    "slow_body": 150,
    "half_sent": 100,
    "kept_alive": 100,
    "events": 200,
    "slow_reader": 50,
}
ROUNDS = 3
"""Of each kind, in turn."""
CALLERS = 4
SUBMITS = 100


async def test_a_thousand_held_connections(open_front: Any, figure: Figure) -> None:
    async with open_front() as front:
        _, hostile = await front.new_key()
        url = f"{front.urls[0]}/api/v1/tasks/submit"
        async with front.client(front.admin) as client:

            async def submit() -> tuple[str, float]:
                start = time.monotonic()
                answer = await client.post(url, json=PROMPT)
                assert answer.status_code == 202, answer.text
                return answer.json()["task_id"], time.monotonic() - start

            async def a_round() -> tuple[float, float]:
                """p50 and p99 in milliseconds."""
                numbers = iter(range(SUBMITS))
                took: list[float] = []

                async def work() -> None:
                    for _ in numbers:
                        took.append((await submit())[1])

                await asyncio.gather(*(work() for _ in range(CALLERS)))
                return 1000 * median(took), p99(took)

            task, _ = await submit()
            await a_round()  # warms up
            alone, beside, opened = [], [], []
            for _ in range(ROUNDS):
                alone.append(await a_round())
                async with stallers(front.urls[0], hostile, task, COUNTS) as held:
                    beside.append(await a_round())
                    opened.append(await held.open())
            tasks = (await front.kube.list(TASKS, front.namespace))["items"]
    (p50, high), (p50_alone, high_alone) = (map(median, zip(*rounds, strict=True)) for rounds in (beside, alone))
    figure(
        f"{min(opened)} to {max(opened)} held; {len(tasks)} submits accepted, none refused; p50 {p50:.0f} ms, "
        f"p99 {high:.0f} ms; without them {p50_alone:.0f} and {high_alone:.0f} ms: p99 {high / high_alone:.2f} times"
    )
    assert len(tasks) == 1 + SUBMITS * (1 + 2 * ROUNDS)
    assert min(opened) > 300, "those that send nothing are closed after a while, and come again"
