"""A way to PayloadCMS on which things go wrong: by a list, or by chance with a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

import aiohttp
from aiohttp import web
from yarl import URL

_HOP = ("transfer-encoding", "connection", "content-length", "host")


class Fault(Enum):
    """What happens to one request."""

    NONE = "none"
    ERROR = "500 instead of the request"
    BUSY = "503 with Retry-After instead of the request"
    CUT = "the connection is cut before the request arrives"
    CUT_AFTER = "the request is carried out, and the connection is cut"
    ERROR_AFTER = "the request is carried out, and answered with 500"
    HANG_AFTER = "the request is carried out, and never answered"


FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
Choose = Callable[[web.Request], Fault]


def by_chance(share: float, seed: int) -> Choose:
    """This share of the requests fails, in one way or another."""
    chance = random.Random(seed)
    return lambda _: chance.choice(FAULTS) if chance.random() < share else Fault.NONE


class FaultyProxy:
    """Carries requests to a server, and does to each what is chosen."""

    def __init__(self, target: str, choose: Choose) -> None:
        self._target = target
        self._choose = choose
        self._over = asyncio.Event()
        self.done: Counter[Fault] = Counter()
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self._choose(request)
        self.done[fault] += 1
        if fault is Fault.CUT:
            return _cut(request)
        content = await request.read()
        if fault is Fault.ERROR:
            return web.Response(status=500, text="fault")
        if fault is Fault.BUSY:
            return web.Response(status=503, headers={"Retry-After": "1"})
        # Carried out even where the caller has hung up meanwhile, as a server would.
        answer = await asyncio.shield(asyncio.create_task(self._carry(request, content)))
        if fault is Fault.CUT_AFTER:
            return _cut(request)
        if fault is Fault.ERROR_AFTER:
            return web.Response(status=500, text="fault")
        if fault is Fault.HANG_AFTER:
            await self._over.wait()
        return answer

    async def _carry(self, request: web.Request, content: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = URL(f"{self._target}{request.raw_path.removeprefix('/api')}", encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, headers=headers, data=content) as got,
        ):
            body = await got.read()
            kept = {name: value for name, value in got.headers.items() if name.lower() not in _HOP}
            return web.Response(status=got.status, headers=kept, body=body)

    async def over(self) -> None:
        """Let go of whoever waits."""
        self._over.set()


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def faulty(target: str, choose: Choose) -> AsyncIterator[FaultyProxy]:
    """A proxy in front of a server's REST API."""
    proxy = FaultyProxy(target, choose)
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_route("*", "/{tail:.*}", proxy._handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        yield proxy
    finally:
        await proxy.over()
        with contextlib.suppress(asyncio.CancelledError):
            await runner.cleanup()
