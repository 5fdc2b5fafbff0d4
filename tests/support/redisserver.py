"""A real Redis for tests, as the local mode starts it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mediatask_local.die_with_parent import die_with_parent
from mediatask_local.redisserver import PROGRAMS, RedisServer, installed_program

from .processes import READY_SECONDS
from .required import REDIS


def redis_program() -> str:
    """The program; skips the test where none is installed, or fails where a skip would be a lie."""
    program = installed_program()
    if program is None:
        REDIS.unavailable(f"{' or '.join(PROGRAMS)} is not on PATH")
    return program


@contextlib.contextmanager
def redis_server() -> Iterator[RunningRedis]:
    """An empty server; ended, and its data removed, with the block."""
    # Short, unlike pytest's folders: the path of a Unix socket has 107 bytes at most.
    server = RunningRedis(RedisServer(redis_program(), Path(tempfile.mkdtemp(prefix="mediatask-redis-"))))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


class RunningRedis:
    """A server that a test may take away for a while."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = server.folder
        self.url = server.url

    def start(self) -> None:
        """Back when it takes connections."""
        log = self.folder / "redis.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(die_with_parent(self._server.command), stdout=out, stderr=out)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
                probe.connect(str(self._server.socket))
                return
            time.sleep(0.02)
        raise AssertionError(f"no Redis at {self.url}:\n{log.read_text()[-4000:]}")

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self, *, losing_its_data: bool = False) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        if losing_its_data:
            shutil.rmtree(self.folder / "appendonlydir")
