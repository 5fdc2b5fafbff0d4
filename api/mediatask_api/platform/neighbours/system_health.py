"""The System Health API, on a port of its own (8100): the platform's dashboards read it without a key.

So it tells no address and no detail of a failure, and it asks nobody more often than the list of services does.
"""

from __future__ import annotations

from importlib.metadata import version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mediatask_common.times import rfc3339, utcnow

from ...settings import Environment
from .registry import Registry


def system_health(registry: Registry, environment: Environment) -> Starlette:
    """`GET /` and `GET /health`: 200, or 503 while Kubernetes is away.

    `{"status": "healthy|degraded|unhealthy", "service": "task_service", "version", "environment", "timestamp",
    "services": {"redis": {"status": "up|down|unknown", "latency_ms": 0.4}, ...}}`
    """

    async def health(_: Request) -> JSONResponse:
        states = {neighbour.name: found for neighbour, found in await registry.states()}
        away = {name for name, found in states.items() if found.state != "up"}
        status = "unhealthy" if "kubernetes" in away else "degraded" if away else "healthy"
        body = {
            "status": status,
            "service": "task_service",
            "version": version("mediatask"),
            "environment": environment,
            "timestamp": rfc3339(utcnow()),
            "services": {
                name: {"status": found.state, "latency_ms": found.latency_ms} for name, found in states.items()
            },
        }
        return JSONResponse(body, 503 if status == "unhealthy" else 200, headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/", health, methods=["GET"]), Route("/health", health, methods=["GET"])])
