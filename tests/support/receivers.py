"""Receivers of webhooks on loopback, and tasks that call them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from mediatask_operator.deciding import callback
from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import Delivery, Published, Task
from mediatask_operator.deciding.plan import SendWebhook
from mediatask_operator.deciding.status import Draft
from mediatask_operator.effects.keys import WebhookKeys
from mediatask_operator.effects.message import Sign
from mediatask_operator.effects.webhook import DeliverWebhook
from mediatask_operator.metrics import Metrics
from support.taskworld import RESULT, START, a_task

LOOPBACK = ("127.0.0.0/8", "::1/128")
MEDIA_URL = "https://media.example.com/image.png"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(answer: Handler, host: str = "127.0.0.1", **site: Any) -> AsyncIterator[int]:
    """A receiver that speaks HTTP; its port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, 0, **site).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_receiver(serve: Raw, host: str | Sequence[str] = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """A receiver that says what it likes; its port. What still runs at the end is cut off."""
    serving: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the caller has hung up, or the test is over
        finally:
            serving.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(accept, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """A request, up to the end of its headers."""
    return await reader.readuntil(b"\r\n\r\n")


def completed(url: str, **spec: Any) -> Task:
    """A task that has completed, with its webhook due."""
    task = a_task(callback={"url": url}, **spec)
    draft = Draft(Task.parse(task), START)
    draft.begin_attempt(1, "job", "image")
    draft.end_attempt(Ended("Succeeded", "", success=True))
    draft.complete(Published(RESULT, None))
    callback.announce(draft)
    draft.patch()
    return Task.parse({**task, "status": draft.status.model_dump(by_alias=True, exclude_none=True, mode="json")})


def numbered(task: Task, number: int) -> Task:
    """Another task of the same making."""
    return dataclasses.replace(task, name=f"{task.name}-{number}", uid=f"{task.uid}-{number}")


def first_try(task: Task) -> SendWebhook:
    """The action that makes the first try of the task's webhook."""
    assert task.status.callback is not None
    return SendWebhook(task.status.callback.id, 1)


def deliverer(
    keys: WebhookKeys | None = None,
    networks: Sequence[str] = LOOPBACK,
    denied: Sequence[str] = (),
    timeout: float = 5,
    workers: int = 8,
    metrics: Metrics | None = None,
    sign: Sign = lambda key, at: MEDIA_URL,
) -> DeliverWebhook:
    metrics = metrics or Metrics()
    keys = keys or WebhookKeys(None, None, (), metrics.key_file_damaged)
    return DeliverWebhook(keys, sign, networks, timeout, workers, metrics, denied)


async def try_once(task: Task, **settings: Any) -> Delivery:
    """The outcome of one try."""
    delivery = await deliverer(**settings).run(task, first_try(task))
    assert delivery is not None
    return delivery
