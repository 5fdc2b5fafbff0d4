"""Nothing is left of a follower of a log who has hung up: no place among the followers, no connection."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from support.front import until
from support.proxy import kubernetes_proxy

from .conftest import World
from .test_logs import pytestmark as _needs_the_embedded_server
from .test_logs import set_pod
from .test_process import PATIENCE, process

pytestmark = _needs_the_embedded_server


async def logging_task(world: World, folder: Path, text: str) -> str:
    """A task whose pod runs and has logged this much."""
    task_id = await world.submit()
    log = folder / f"{task_id}.log"
    log.write_text(text)
    await set_pod(world, await world.pod(task_id, nodeName="node"), "Running", log)
    return task_id


async def follow(stack: AsyncExitStack, client: httpx.AsyncClient, task_id: str, key: str) -> httpx.Response:
    """The answer to a follower, as far as its head."""
    path, headers = f"/api/v1/tasks/{task_id}/logs?follow=true", {"X-API-Key": key}
    return await stack.enter_async_context(client.stream("GET", path, headers=headers))


@pytest.mark.parametrize("text", ["", "one\n"], ids=["before the first line", "after it"])
async def test_of_followers_who_hang_up_nothing_is_left(
    world: World, tmp_path: Path, kubeconfig: Path, namespace: str, text: str
) -> None:
    task_id = await logging_task(world, tmp_path, text)
    talks = await logging_task(world, tmp_path, "another\n")
    followers = 12
    settings = {"MEDIATASK_MAX_LOG_FOLLOWERS": f"{followers}", "MEDIATASK_MAX_LOG_FOLLOWERS_PER_KEY": f"{followers}"}
    async with kubernetes_proxy(kubeconfig, tmp_path) as (counted, proxy):
        stack = AsyncExitStack()
        running = await asyncio.to_thread(
            stack.enter_context,
            process(tmp_path, counted, namespace, **settings),  # type: ignore[arg-type]
        )
        async with stack:
            key = running[0].headers["X-API-Key"]
            async with httpx.AsyncClient(base_url=running[0].base_url, timeout=PATIENCE) as caller:

                async def status() -> int:
                    async with AsyncExitStack() as answers:
                        return (await follow(answers, caller, talks, key)).status_code

                async with AsyncExitStack() as answers:
                    following = [asyncio.create_task(follow(answers, caller, task_id, key)) for _ in range(followers)]

                    async def all_follow() -> bool:
                        return proxy.connections >= followers and await status() == 429

                    await until(all_follow, PATIENCE)
                    for each in following:
                        each.cancel()
                    await asyncio.gather(*following, return_exceptions=True)

                async def room() -> bool:
                    return await status() == 200

                await until(room, PATIENCE)

                async def closed() -> bool:
                    return proxy.connections < followers

                await until(closed, PATIENCE)
