"""Two replicas behind a TCP balancer, one of them killed under load: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from integration.api.conftest import PROMPT
from mediatask_common.kube import TASKS
from support.eventstream import balancer
from support.front import Figure
from support.redisserver import redis_server

CALLERS = 16
SUBMITS = 240
KILL_AT = 80
"""Acknowledged submits before the kill."""


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "no redis"])
async def test_a_replica_is_killed_under_load(open_front: Any, figure: Figure, with_redis: bool) -> None:
    """Half of the callers have idempotency keys and send again what was not answered; the others give it up."""
    async with AsyncExitStack() as stack:
        settings = {}
        if with_redis:
            settings["REDIS_URL"] = (await asyncio.to_thread(stack.enter_context, redis_server())).url
        front = await stack.enter_async_context(open_front(replicas=2, **settings))
        ports = [httpx.URL(url).port for url in front.urls]
        url = f"{await stack.enter_async_context(balancer(ports))}/api/v1/tasks"
        numbers = iter(range(SUBMITS))
        acknowledged: dict[int, str] = {}
        again: list[int] = []
        given_up: list[int] = []

        async def submit(client: httpx.AsyncClient, number: int, key: dict[str, str]) -> None:
            body = {**PROMPT, "metadata": {"number": number}}
            while True:
                try:
                    answer = await client.post(f"{url}/submit", json=body, headers=key)
                    break
                except httpx.TransportError:
                    (again if key else given_up).append(number)
                    if not key:
                        return
            assert answer.status_code == 202, answer.text
            acknowledged[number] = answer.json()["task_id"]
            if len(acknowledged) == KILL_AT:
                os.kill(front.pids[0], signal.SIGKILL)

        async def call(with_keys: bool) -> None:  # connections go to the replicas in turn
            async with front.client(front.admin) as client:
                for number in numbers:
                    await submit(client, number, {"Idempotency-Key": f"submit-{number}"} if with_keys else {})

        await asyncio.gather(*(call(number % 4 < 2) for number in range(CALLERS)))
        tasks = (await front.kube.list(TASKS, front.namespace))["items"]
        there = {task["metadata"]["name"]: task["spec"]["metadata"]["number"] for task in tasks}
        lost = [number for number, name in acknowledged.items() if there.get(name) != number]
        doubled = [number for number, count in Counter(there.values()).items() if count > 1]
        figure(
            f"{len(acknowledged)} of {SUBMITS} submits acknowledged, {len(acknowledged) - KILL_AT} after the kill; "
            f"cut off: {len(again)} sent again, {len(given_up)} given up; {len(lost)} lost, {len(doubled)} doubled"
        )
        assert (lost, doubled) == ([], [])
        assert sorted([*acknowledged, *given_up]) == list(range(SUBMITS))
        async with front.client(front.admin) as client:
            for name in list(acknowledged.values())[KILL_AT - CALLERS : KILL_AT]:
                assert (await client.get(f"{url}/{name}/status")).status_code == 200, "seen by the other replica"
