"""The process: both listeners on one event loop, one graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from mediatask_common.logging import get_logger, setup_logging

from .app import internal_app, public_app
from .dependencies import open_services
from .settings import ApiSettings

log = get_logger(__name__)

GRACE_SECONDS = 20
"""Time for open requests after the last accepted one; the pod's grace period is longer than this and draining."""


class _Listener(uvicorn.Server):
    """A server that leaves signals to the process, which has two of them to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listener(app: ASGIApp, host: str, port: int) -> _Listener:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    return _Listener(config)


async def serve(settings: ApiSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises what keeps it from starting."""
    async with open_services(settings) as services:
        listeners = [
            _listener(public_app(services), settings.host, settings.port),
            _listener(internal_app(services), settings.internal_host, settings.internal_port),
        ]

        def close() -> None:
            for listener in listeners:
                listener.should_exit = True

        def stop() -> None:
            services.drain.start()
            loop.call_later(settings.drain_seconds, close)

        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop)
        log.info("api starting", port=settings.port, internal_port=settings.internal_port)
        try:
            await asyncio.gather(*(listener.serve() for listener in listeners))
        finally:
            close()
    log.info("api stopped")


def main() -> None:
    """Entry point of `mediatask-api`."""
    settings = ApiSettings()
    setup_logging(settings.log_level, settings.log_style)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
