"""Nothing is left of a follower of a log who has hung up: no place among the followers, no connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import World, until
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


@asynccontextmanager
async def counted_connections(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Path, Callable[[], int]]]:
    """A way to the API server of which the test knows how many connections are open."""
    text = await asyncio.to_thread(kubeconfig.read_text)
    found = re.search(r"https://127\.0\.0\.1:(\d+)", text)
    assert found is not None
    tasks: set[asyncio.Task[Any]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
            await asyncio.gather(carry(reader, server_writer), carry(server_reader, writer))
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    path = folder / "counted"
    here = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.to_thread(path.write_text, text.replace(found[0], here))
    yield path, lambda: len(tasks)
    server.close()
    for task in list(tasks):
        task.cancel()


@pytest.mark.parametrize("text", ["", "one\n"], ids=["before the first line", "after it"])
async def test_of_followers_who_hang_up_nothing_is_left(
    world: World, tmp_path: Path, kubeconfig: Path, namespace: str, text: str
) -> None:
    task_id = await logging_task(world, tmp_path, text)
    talks = await logging_task(world, tmp_path, "another\n")
    followers = 12
    settings = {"MEDIATASK_MAX_LOG_FOLLOWERS": f"{followers}", "MEDIATASK_MAX_LOG_FOLLOWERS_PER_KEY": f"{followers}"}
    async with counted_connections(kubeconfig, tmp_path) as (counted, connections):
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
                        return connections() >= followers and await status() == 429

                    await until(all_follow, PATIENCE)
                    for each in following:
                        each.cancel()
                    await asyncio.gather(*following, return_exceptions=True)

                async def room() -> bool:
                    return await status() == 200

                await until(room, PATIENCE)

                async def closed() -> bool:
                    return connections() < followers

                await until(closed, PATIENCE)
