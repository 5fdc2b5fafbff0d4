"""Webhooks over a real loopback receiver, verified by the official library."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from mediatask_operator.deciding import callback
from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import Delivery, Published, Task
from mediatask_operator.deciding.status import Draft
from mediatask_operator.effects.webhook import WebhookKeys, WebhookSender, decode_secret
from support.taskworld import RESULT, START, a_task

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, so").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"another one of thirty-two bytes!").decode()
LOOPBACK = ["127.0.0.0/8"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(answer: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://localhost:{port}/hook"
    finally:
        await runner.cleanup()


def completed(url: str) -> Task:
    """A task that has completed, with its webhook due."""
    draft = Draft(Task.parse(a_task(callback={"url": url}, metadata={"userId": "u1"})), START)
    draft.begin_attempt(1, "job", "image")
    draft.end_attempt(Ended("Succeeded", "", success=True))
    draft.complete(Published(RESULT, "https://media.example.com/image.png"))
    callback.announce(draft)
    draft.patch()
    task = a_task(callback={"url": url}, metadata={"userId": "u1"})
    return Task.parse({**task, "status": draft.status.model_dump(by_alias=True, exclude_none=True, mode="json")})


@pytest.fixture
def keys(tmp_path: Path) -> WebhookKeys:
    secrets, api_key = tmp_path / "secrets", tmp_path / "key"
    secrets.write_text(f"{SECRET}\n{OLD_SECRET}\n")
    api_key.write_text("receiver-key\n")
    return WebhookKeys(secrets, api_key)


async def try_once(task: Task, keys: WebhookKeys, networks: list[str] = LOOPBACK, timeout: float = 5) -> Delivery:
    assert task.status.callback is not None
    return await WebhookSender(keys, networks, timeout).deliver(task, task.status.callback.id, 1)


async def test_the_message_verifies_with_each_secret_and_has_the_agreed_body(keys: WebhookKeys) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def accept(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async with receiver(accept) as url:
        task = completed(url)
        delivery = await try_once(task, keys)
    assert (delivery.ok, delivery.status_code) == (True, 204)
    (headers, content), host = got[0], url.split("/")[2]
    lowered = {name.lower(): value for name, value in headers.items()}
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(content, lowered)
    assert task.status.callback is not None
    assert (lowered["webhook-id"], lowered["x-api-key"]) == (task.status.callback.id, "receiver-key")
    assert lowered["host"] == host
    assert json.loads(content) == {
        "type": "task.completed",
        "timestamp": "2026-11-21T10:00:00Z",
        "task_id": "scene-1",
        "status": "completed",
        "project_id": "p1",
        "result": {
            "media_url": "https://media.example.com/image.png",
            "payload_media_id": None,
            "metadata": {"width": 64, "seed": 7},
        },
        "error": None,
        "metadata": {"userId": "u1"},
    }


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
async def test_only_2xx_is_success_and_redirects_are_not_followed(keys: WebhookKeys, status: int) -> None:
    paths: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with receiver(refuse) as url:
        delivery = await try_once(completed(url), keys)
    assert (delivery.ok, delivery.status_code, delivery.permanent) == (False, status, False)
    assert paths == ["/hook"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("Fri, 21 Nov 2025 10:00:00 GMT", 0.0), ("soon", None)]
)
async def test_retry_after_is_read(keys: WebhookKeys, header: str, seconds: float | None) -> None:
    async def later(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    async with receiver(later) as url:
        assert (await try_once(completed(url), keys)).retry_after == seconds


async def test_410_is_permanent(keys: WebhookKeys) -> None:
    async def gone(_: web.Request) -> web.Response:
        return web.Response(status=410)

    async with receiver(gone) as url:
        assert (await try_once(completed(url), keys)).permanent


async def test_a_receiver_that_does_not_answer(keys: WebhookKeys) -> None:
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with receiver(hang) as url:
        delivery = await try_once(completed(url), keys, timeout=0.2)
        release.set()
    assert (delivery.ok, delivery.permanent) == (False, False)
    assert "no answer" in delivery.error


async def test_private_addresses_are_not_connected_to(keys: WebhookKeys) -> None:
    reached = False

    async def note(_: web.Request) -> web.Response:
        nonlocal reached
        reached = True
        return web.Response()

    async with receiver(note) as url:
        delivery = await try_once(completed(url), keys, networks=[])
    assert not reached
    assert not delivery.ok
    assert "not a public address" in delivery.error


async def test_nobody_listens(keys: WebhookKeys) -> None:
    delivery = await try_once(completed("http://127.0.0.1:9/hook"), keys)
    assert (delivery.ok, delivery.permanent) == (False, False)


async def test_a_rotated_secret_is_read_again(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(SECRET)
    keys = WebhookKeys(secrets, None)
    secrets.write_text(OLD_SECRET)
    os.utime(secrets, ns=(1, 1))
    assert keys.secrets() == [decode_secret(OLD_SECRET)]


@pytest.mark.parametrize("line", ["", "secret", "whsec_%%%", "whsec"])
def test_secrets_have_one_form(line: Any) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        decode_secret(line)
