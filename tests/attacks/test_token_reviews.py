"""Tokens that only look like a service account's: they neither flood the API server nor lock out who has a real one."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from integration.api.conftest import World
from mediatask_api.auth import service_accounts
from mediatask_api.pods import auth as pod_auth
from mediatask_api.settings import ServiceAccount
from mediatask_common.kube import TOKENREVIEWS, Kube
from support.front import Figure

FORGED = 800
REVIEW_SECONDS = 0.02
"""What a review takes at the least: the API server has other things to do."""


class Reviews:
    """Counts what the API server is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = self.now = self.most = 0
        create = Kube.create

        async def counted(kube: Kube, resource: Any, *rest: Any, **more: Any) -> Any:
            if resource != TOKENREVIEWS:
                return await create(kube, resource, *rest, **more)
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(REVIEW_SECONDS)
                return await create(kube, resource, *rest, **more)
            finally:
                self.now -= 1

        monkeypatch.setattr(Kube, "create", counted)


def forged(token: str, count: int) -> list[str]:
    """Everything is right about them but the signature."""
    head, claims, signature = token.split(".")
    return [f"{head}.{claims}.{signature[:-22]}{secrets.token_urlsafe(16)}" for _ in range(count)]


@pytest.mark.parametrize("listener", ["callers", "pods"])
async def test_a_flood_of_forged_tokens(
    open_world: Callable[..., Any], namespace: str, monkeypatch: pytest.MonkeyPatch, figure: Figure, listener: str
) -> None:
    # As if the flood lasted for several times as long as an answer is kept.
    monkeypatch.setattr(service_accounts, "REVIEW_SECONDS", 0.2)
    monkeypatch.setattr(pod_auth, "REVIEW_SECONDS", 0.2)
    account = ServiceAccount(namespace=namespace, name="default", role="writer", projects=["film"])
    async with open_world(service_accounts=[account]) as world:
        task_id = await world.submit()
        await world.set_status(task_id, phase="processing", attempt=1)
        pod = await world.pod(task_id)
        audience = {"callers": "mediatask-api", "pods": "mediatask"}[listener]
        token = await world.token(pod, audience)
        other = await world.token(pod, {"callers": "mediatask", "pods": "mediatask-api"}[listener])
        call: Callable[[str], Awaitable[int]] = caller(world) if listener == "callers" else reporter(world, task_id)
        assert await call(token) == 200
        reviews = Reviews(monkeypatch)
        assert {await call(text) for text in (other, "x.y.z", "", "a" * 20_000, *forged(other, 20))} == {401}
        assert reviews.asked == 0, "the API server is not asked about tokens that are not even for us"
        again = forged(token, 1)[0]
        assert {*await asyncio.gather(*(call(again) for _ in range(50)))} == {401}
        assert reviews.asked <= 10, "nor each time about the same one"
        flooding = asyncio.gather(*(call(text) for text in forged(token, FORGED)))
        took: list[float] = []
        while not flooding.done():
            start = time.monotonic()
            assert await call(token) == 200, "whoever has a real token is let in meanwhile"
            took.append(time.monotonic() - start)
        refused = await flooding
    figure(
        f"{FORGED} forged at once: {refused.count(401)} got 401, {refused.count(503)} 503; {reviews.asked} reviews, "
        f"{reviews.most} at a time at most; a real one meanwhile: {len(took)} calls, 0 refused"
    )
    assert set(refused) <= {401, 503}
    assert reviews.most <= 16
    assert len(took) > 5, "it does not wait behind them"


def caller(world: World) -> Callable[[str], Awaitable[int]]:
    async def call(token: str) -> int:
        headers = {"X-API-Key": "", "Authorization": f"Bearer {token}"}
        return (await world.api.get("/task-types", headers=headers)).status_code

    world.api.headers.pop("X-API-Key")
    return call


def reporter(world: World, task_id: str) -> Callable[[str], Awaitable[int]]:
    async def call(token: str) -> int:
        return (await world.report(token, task_id, "progress", attempt=1, progress=0.5, step="denoising")).status_code

    return call
