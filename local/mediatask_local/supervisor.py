"""Starts the services in dependency order, keeps them running, and stops them in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from . import services
from .bootstrap import bootstrap
from .child import Child, Service
from .services import Setup

START_TIMEOUT = 60.0
"""Seconds until a service must be ready, even with a cold disk on a busy machine."""


class Supervisor:
    """The services of one state folder. `on_pid(name, pid)` is called for every process that is started."""

    def __init__(self, setup: Setup, on_pid: Callable[[str, int], None]) -> None:
        self._setup = setup
        self._on_pid = on_pid
        self._logs = setup.directory / "logs"
        self._logs.mkdir(exist_ok=True)
        self._foundation: list[Child] = []
        self._operator: list[Child] = []
        self._front: list[Child] = []

    async def start(self) -> None:
        """Start all services; returns when all are ready. Raises StartError or KubeError; then call `stop`."""
        setup = self._setup
        foundation = (services.api_server(setup), services.redis_server(setup), services.s3_server(setup))
        self._foundation = [self._child(service) for service in foundation if service]
        self._operator = [self._child(services.operator(setup))]
        self._front = [self._child(services.api(setup)), self._child(services.job_runner(setup))]
        await _all_ready(self._foundation)
        await bootstrap(setup.kubeconfig, setup.credentials.api_key)
        await _all_ready(self._operator + self._front)

    async def stop(self) -> None:
        """Stop all services gracefully: API and job runner, then the operator, then API server, Redis and S3."""
        for layer in (self._front, self._operator, self._foundation):
            await asyncio.gather(*(child.stop() for child in layer))

    def kill(self) -> None:
        """Send SIGKILL to all services."""
        for child in self._front + self._operator + self._foundation:
            child.kill()

    def _child(self, service: Service) -> Child:
        return Child(service, self._log_file(service.name), self._on_pid)

    def _log_file(self, name: str) -> Path:
        return self._logs / f"{name}.log"


async def _all_ready(children: list[Child]) -> None:
    """Start in parallel; raises the first failure and cancels the other starts."""
    starts = [asyncio.create_task(child.start(START_TIMEOUT)) for child in children]
    try:
        await asyncio.gather(*starts)
    finally:
        for start in starts:
            start.cancel()
