"""One supervised process: started, awaited until ready, restarted when it exits, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mediatask_common.logging import get_logger

from .die_with_parent import die_with_parent

log = get_logger(__name__)

FIRST_BACKOFF = 0.5
LAST_BACKOFF = 10.0
HEALTHY_SECONDS = 10.0
"""A process that ran this long resets the backoff."""
READY_POLL_SECONDS = 0.05
LOG_LIMIT = 16 * 1024**2
"""Bytes above which a log is rotated at the next start of the supervisor."""


class StartError(Exception):
    """A process did not start. The message is meant for users."""


@dataclass(frozen=True)
class Service:
    """What to run, and how to tell that it is ready."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    ready: Callable[[int], Awaitable[bool]]
    """Whether the process with that PID is ready. May raise OSError or TimeoutError for "not yet"."""
    grace_seconds: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""


class Child:
    """A service's process. Its output goes to `log_file`; `on_pid(name, pid)` is called for every new process."""

    def __init__(self, service: Service, log_file: Path, on_pid: Callable[[str, int], None]) -> None:
        self.service = service
        self._log_file = log_file
        self._on_pid = on_pid
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, timeout: float) -> None:
        """Start it, wait until it is ready, and keep it running from then on.

        Raises:
            StartError: it exited, or was not ready after `timeout` seconds.
        """
        if self._log_file.exists() and self._log_file.stat().st_size > LOG_LIMIT:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        process = await self._spawn()
        began = time.monotonic()
        while not await self._is_ready(process):
            if process.returncode is not None:
                code = process.returncode
                raise StartError(f"{self.service.name} exited at startup (exit code {code}){self._excerpt()}")
            if time.monotonic() - began > timeout:
                raise StartError(f"{self.service.name} is not ready after {timeout:.0f} s{self._excerpt()}")
            await asyncio.sleep(READY_POLL_SECONDS)
        log.info("ready", service=self.service.name, pid=process.pid, seconds=round(time.monotonic() - began, 2))
        self._keeper = asyncio.create_task(self._keep(process))

    async def stop(self) -> None:
        """Stop it for good: SIGTERM, then SIGKILL after its grace period."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self.service.grace_seconds):
                await process.wait()
        except TimeoutError:
            log.warning("killed after its grace period", service=self.service.name)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self._log_file.open("ab") as out:
            self._log_start = out.tell()
            process = await asyncio.create_subprocess_exec(
                *die_with_parent(self.service.command),
                env=dict(self.service.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C must reach only the supervisor, which then stops its children in order.
                start_new_session=True,
            )
        self._process = process
        self._on_pid(self.service.name, process.pid)
        return process

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        backoff = FIRST_BACKOFF
        while True:
            began = time.monotonic()
            code = await process.wait()
            if self._stopping:
                return
            if time.monotonic() - began > HEALTHY_SECONDS:
                backoff = FIRST_BACKOFF
            log.warning("exited, restarting", service=self.service.name, exit_code=code, after_seconds=backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
            process = await self._spawn()

    async def _is_ready(self, process: asyncio.subprocess.Process) -> bool:
        try:
            async with asyncio.timeout(5):
                return await self.service.ready(process.pid)
        except (OSError, TimeoutError):
            return False

    def _excerpt(self) -> str:
        """The path of its log, and the last lines of this run."""
        with self._log_file.open("rb") as log_file:
            log_file.seek(self._log_start)
            lines = log_file.read().decode(errors="replace").splitlines()[-15:]
        return "\n".join([f"; its log is {self._log_file}", *(f"  {line[:500]}" for line in lines)])
