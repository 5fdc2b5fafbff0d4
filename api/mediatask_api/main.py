"""The process: its listeners on one event loop, one graceful end."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from functools import partial

import uvloop
from prometheus_client import make_asgi_app

from mediatask_common.logging import get_logger, setup_logging
from mediatask_common.settings import warn_of_contradictions

from .app import internal_app, public_app
from .dependencies import open_services
from .http.server import make_server
from .platform.neighbours.system_health import system_health
from .settings import ApiSettings

log = get_logger(__name__)


async def serve(settings: ApiSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises what keeps it from starting."""
    server = partial(
        make_server,
        head_seconds=settings.head_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        max_connections=settings.max_connections,
    )
    async with open_services(settings) as services:
        metrics = make_asgi_app(services.metrics.registry)
        listeners = [
            server(public_app(services), settings.host, settings.port),
            server(internal_app(services), settings.internal_host, settings.internal_port),
            server(metrics, settings.metrics_host, settings.metrics_port),
        ]
        if settings.system_health_port is not None:
            health = system_health(services.neighbours, settings.environment)
            listeners.append(server(health, settings.system_health_host, settings.system_health_port))

        def close() -> None:
            for listener in listeners:
                listener.should_exit = True

        def stop() -> None:
            services.drain.start()
            loop.call_later(settings.drain_seconds, close)

        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop)
        # Libraries and routes stay for good: looking through them for garbage again holds up all requests.
        gc.collect()
        gc.freeze()
        log.info(
            "api starting",
            port=settings.port,
            internal_port=settings.internal_port,
            metrics_port=settings.metrics_port,
        )
        try:
            await asyncio.gather(*(listener.serve() for listener in listeners))
        finally:
            close()
    log.info("api stopped")


def main() -> None:
    """Entry point of `mediatask-api`."""
    settings = ApiSettings()
    # Each connection takes a descriptor, and many systems give a process 1024 unless it asks for more.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    setup_logging(settings.log_level, settings.log_style)
    warn_of_contradictions(ApiSettings)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
