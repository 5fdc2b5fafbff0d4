"""A real Redis for tests, where one is installed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediatask_local.services import redis_program

from .processes import free_port, wait_for_port


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps nothing; skips the test where there is no program for it."""
    program, port, log = redis_program(), free_port(), folder / "redis.log"
    if program is None:
        pytest.skip("neither redis-server nor valkey-server is on PATH")
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    with log.open("w") as out:
        process = subprocess.Popen([program, *options], stdout=out, stderr=out, text=True)
    try:
        wait_for_port(port, process, log)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()
