"""Processes of a test: started, waited for by what they say, stopped by their own id."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mediatask_local.die_with_parent import die_with_parent

from .warm import WarmProcess

AnyProcess = subprocess.Popen[str] | WarmProcess

READY_SECONDS = 60.0


@contextlib.contextmanager
def python_module(
    module: str, *arguments: str, env: Mapping[str, str] | None = None, log: Path
) -> Iterator[subprocess.Popen[str]]:
    """`python -m module arguments`, with its stderr in a file; ended by SIGTERM, at the latest by SIGKILL.

    It ends with the test run, too, however that ends.
    """
    with log.open("w") as errors:
        process = subprocess.Popen(
            die_with_parent([sys.executable, "-m", module, *arguments]),
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            end(process)
            assert process.stdout is not None
            process.stdout.close()


@contextlib.contextmanager
def warm_module(module: str, *, env: Mapping[str, str], log: Path) -> Iterator[WarmProcess]:
    """`python_module` for a module that many tests start: forked from a process that has its libraries."""
    process = WarmProcess(module, {**os.environ, **env}, log)
    try:
        yield process
    finally:
        end(process)


def end(process: AnyProcess) -> None:
    """SIGTERM, and SIGKILL when that does not help."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def first_line(process: subprocess.Popen[str], log: Path, seconds: float = READY_SECONDS) -> str:
    """The first line that a process prints. Fails with its log when there is none."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if ready else ""
    assert line, f"the process said nothing within {seconds} s:\n{log.read_text()[-4000:]}"
    return line


def stat_of(pid: int) -> list[str]:
    """What /proc says of a process, from its state (the third field) on; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends between opening and reading
        return []


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: AnyProcess, log: Path, seconds: float = READY_SECONDS) -> None:
    """Return once a process listens. Fails with its log when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}:\n{log.read_text()[-4000:]}")
