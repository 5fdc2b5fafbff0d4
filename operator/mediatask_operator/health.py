"""What Kubernetes and Prometheus ask the operator: `/healthz` and `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

STUCK_SECONDS = 120.0
"""So long may a key wait without a single pass being made before the operator counts as stuck."""


async def serve_health(
    host: str, port: int, waiting: Callable[[], int], last_pass: Callable[[], float]
) -> web.AppRunner:
    """`GET /healthz`: 200 while work is being done or there is none, else 503.

    Args:
        waiting: how many keys wait for a worker.
        last_pass: when a worker last finished a pass, by the monotonic clock.
    """

    async def healthz(_: web.Request) -> web.Response:
        idle = time.monotonic() - last_pass()
        stuck = waiting() > 0 and idle > STUCK_SECONDS
        answer = {"ok": not stuck, "waiting": waiting(), "seconds_since_last_pass": round(idle, 1)}
        return web.json_response(answer, status=503 if stuck else 200)

    return await _serve(host, port, "/healthz", healthz)


async def serve_metrics(host: str, port: int, registry: CollectorRegistry) -> web.AppRunner:
    """`GET /metrics` in Prometheus' text format."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return await _serve(host, port, "/metrics", metrics)


async def _serve(host: str, port: int, path: str, handler: Callable[[web.Request], object]) -> web.AppRunner:
    app = web.Application()
    app.router.add_get(path, handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
