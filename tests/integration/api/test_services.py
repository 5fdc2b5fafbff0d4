"""The services around: which the settings name, whether they answer, and the System Health API without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from aiohttp import web

from mediatask_api.platform.neighbours import registry
from mediatask_api.platform.neighbours.system_health import system_health
from mediatask_common.kube import TASKS
from support.front import until
from support.receivers import raw_receiver, receiver

from .conftest import PROMPT, World

PASSWORD = "hidden-pw"


class Platform:
    """Neighbours on loopback, one of each kind of health, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.settings: dict[str, str] = {}

    async def well(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        raise web.HTTPFound("http://127.0.0.1:1/followed")

    async def unwell(self, request: web.Request) -> web.Response:
        return web.Response(status=503, text=PASSWORD)

    async def silent(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def endless(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    played = Platform()
    async with AsyncExitStack() as stack:
        well = await stack.enter_async_context(receiver(played.well))
        unwell = await stack.enter_async_context(receiver(played.unwell))
        silent = await stack.enter_async_context(raw_receiver(played.silent))
        endless = await stack.enter_async_context(raw_receiver(played.endless))
        played.settings = {
            "auto_movie_url": f"http://127.0.0.1:{well}/app",
            "payload_api_url": f"http://user:{PASSWORD}@127.0.0.1:{unwell}/api?key={PASSWORD}",
            "brain_url": f"http://127.0.0.1:{silent}",
            "prometheus_url": "http://127.0.0.1:1",
            "grafana_url": f"http://127.0.0.1:{endless}",
        }
        yield played


async def services(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get("/services")
    assert answer.status_code == 200
    assert PASSWORD not in answer.text
    return {service.pop("name"): service for service in answer.json()["services"]}


async def test_each_service_that_is_configured_is_listed_with_its_state(
    open_world: Callable[..., Any], platform: Platform, redis_url: str
) -> None:
    async with open_world(environment="staging", redis_url=redis_url, **platform.settings) as world:
        answer = (await world.api.get("/services")).json()
        assert (answer["environment"], set(answer)) == ("staging", {"environment", "version", "services"})
        found = await services(world.api)
        states = {name: service["state"] for name, service in found.items()}
        assert states.pop("brain") in ("unknown", "down"), "it says nothing, and is not waited for"
        assert states == {
            "kubernetes": "up",
            "store": "up",
            "redis": "up",
            "auto_movie": "up",
            "payload": "down",
            "prometheus": "down",
            "grafana": "up",
        }
        assert found["payload"]["message"] == "answers 503"
        host = platform.settings["payload_api_url"].partition("@")[2].partition("/")[0]
        assert found["payload"]["url"] == f"http://{host}"
        assert found["auto_movie"]["latency_ms"] > 0
        assert found["auto_movie"]["url"] == platform.settings["auto_movie_url"]
        assert platform.asked == ["/app"], "once, and no redirect was followed"


async def test_what_is_not_configured_is_not_listed(world: World) -> None:
    assert set(await services(world.api)) == {"kubernetes", "store"}


async def test_a_silent_service_delays_nobody_and_ends_as_down(
    open_world: Callable[..., Any], platform: Platform
) -> None:
    async with open_world(brain_url=platform.settings["brain_url"]) as world:
        begun = asyncio.get_running_loop().time()
        first = await services(world.api)
        assert asyncio.get_running_loop().time() - begun < registry.TIMEOUT_SECONDS
        assert (first["brain"]["state"], first["kubernetes"]["state"]) == ("unknown", "up")

        async def known() -> dict[str, Any] | None:
            brain = (await services(world.api))["brain"]
            return None if brain["state"] == "unknown" else brain

        brain = await until(known)
        assert (brain["state"], brain["message"]) == ("down", "no answer within 3 s")


async def test_only_callers_who_may_read_the_platform_see_it(world: World) -> None:
    assert (await (await world.caller("*", scopes=["tasks:read"])).get("/services")).status_code == 403
    assert (await (await world.caller("film", scopes=["platform:read"])).get("/services")).status_code == 200
    world.api.headers.pop("X-API-Key")
    assert (await world.api.get("/services")).status_code == 401


# ---- System Health API


async def test_the_system_health_api_tells_states_without_addresses(
    open_world: Callable[..., Any], platform: Platform
) -> None:
    settings = {name: platform.settings[name] for name in ("auto_movie_url", "payload_api_url")}
    async with open_world(environment="production", **settings) as world:
        app = system_health(world.services.neighbours, "production")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://health") as client:
            for path in ("/health", "/"):
                answer = await client.get(path)
                assert answer.status_code == 200
                body = answer.json()
                assert (body["status"], body["environment"]) == ("degraded", "production")
                assert body["services"]["auto_movie"]["status"] == "up"
                assert body["services"]["payload"] == {"status": "down", "latency_ms": None}
                assert all(secret not in answer.text for secret in ("127.0.0.1", "http", "503", PASSWORD))
            assert (await client.post("/health")).status_code == 405
            assert (await client.get("/other")).status_code == 404


async def test_without_kubernetes_the_system_is_unhealthy(
    open_world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world:

        async def away(*_: Any, **__: Any) -> None:
            raise OSError("no route to host")

        monkeypatch.setattr(world.services.kube, "list", away)
        app = system_health(world.services.neighbours, "development")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://health") as client:
            answer = await client.get("/health")
            assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_health_names_the_environment(open_world: Callable[..., Any]) -> None:
    async with open_world(environment="staging") as world:
        assert (await world.api.get("/health")).json()["environment"] == "staging"


# ---- tasks that do not say where they are reported


async def test_tasks_without_a_callback_are_reported_below_the_base_url(open_world: Callable[..., Any]) -> None:
    async with open_world(webhook_base_url="https://93.184.215.14/api/webhooks/") as world:
        given = {"callback_url": "https://93.184.215.14/mine"}
        expected = "https://93.184.215.14/api/webhooks/task-complete"
        for more, url in (({}, expected), (given, given["callback_url"]), ({"callback_url": None}, None)):
            submitted = await world.api.post("/tasks/submit", json={**PROMPT, **more})
            assert submitted.status_code == 202
            task = await world.kube.get(TASKS, submitted.json()["task_id"], world.namespace)
            assert task["spec"].get("callback", {}).get("url") == url
