"""The local mode as a whole: `run` for a terminal, `embedded` for programs, and the process that `embedded` starts."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Self, get_args

from pydantic import BaseModel, ConfigDict

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger, setup_logging

from .child import StartError
from .credentials import ensure_credentials
from .die_with_parent import die_with_parent
from .jobrunner.pods.gpus import real_gpus, slot_count
from .ports import PortTaken, choose_ports
from .services import Setup
from .stores import Kind, check_named, kind_of, remember
from .supervisor import Supervisor

log = get_logger(__name__)

STOP_TIMEOUT = 90.0
"""Seconds `embedded` waits for the shutdown: more than all grace periods together."""


class UpInfo(BaseModel):
    """How to reach a running local mode: the content of `DIR/up.json`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    api_url: str
    """Base URL of the REST API, without `/api/v1`."""
    api_key: str
    """A key for all projects."""
    kubeconfig: Path
    """For kubectl."""
    metrics_url: str
    """Prometheus metrics of the operator."""
    api_metrics_url: str
    """Those of the API."""
    console_url: str
    """Page to open in a browser."""
    redis_url: str | None
    """URL of the Redis in use, `unix://...` when it was started here; None when there is none."""
    s3_url: str | None
    """URL of the S3 server that was started here; None when media is stored elsewhere."""
    gpu_slots: int
    """How many tasks with one GPU each can run at the same time."""
    gpu_devices: int
    """NVIDIA devices behind the slots; 0 where tasks run on the CPU."""
    webhook_secret: str
    """Secret that signs the webhooks (`whsec_...`)."""
    pids: dict[str, int]
    """PIDs by name: `up` itself, apiserver, redis, s3, operator, api, jobrunner."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The local mode that runs on that folder. Raises FileNotFoundError when none does."""
        return cls.model_validate_json(_file(directory).read_bytes())

    def write(self, directory: Path) -> None:
        """Write the file atomically, readable only by its owner."""
        partial = directory / ".up.json.partial"
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(self.model_dump_json(indent=2))
        partial.replace(_file(directory))


def run(directory: Path, *, api_port: int, gpus: int | None, store: Kind, on_ready: Callable[[UpInfo], None]) -> int:
    """Start everything and stay until SIGINT or SIGTERM.

    Args:
        directory: holds all state; a restart continues where the last run stopped.
        api_port: port of the REST API; 0 picks a free one.
        gpus: `nvidia.com/gpu` slots; None: one per NVIDIA device, or a few virtual ones without a device.
        store: where media is stored; `s3` starts a server here unless the environment names one.
        on_ready: called once everything is ready.

    Returns:
        Exit code: 0 after a clean shutdown, 1 when it could not start (the reason is on stderr).
    """
    if sys.platform != "linux":
        return _complain("the local mode needs Linux: it supervises processes through /proc and prctl")
    directory = directory.resolve()
    # Prompts, media and logs are private: other users may not read what any of the processes writes.
    os.umask(0o077)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "up.lock").open("a+") as lock:
        holder = _take(lock)
        if holder is not None:
            return _complain(f"{directory} is in use by process {holder}: stop it, or choose another --dir")
        _file(directory).unlink(missing_ok=True)
        try:
            ports = choose_ports(directory / "ports.json", api_port)
            remember(directory, store)
            setup = Setup(directory, ports, ensure_credentials(directory / "secrets"), slot_count(gpus), store)
            asyncio.run(_serve(setup, on_ready))
        except (PortTaken, StartError, KubeError, OSError) as error:
            return _complain(str(error))
        finally:
            _file(directory).unlink(missing_ok=True)
    return 0


async def _serve(setup: Setup, on_ready: Callable[[UpInfo], None]) -> None:
    stop = asyncio.Event()
    pids = {"up": os.getpid()}
    info: UpInfo | None = None

    def started(name: str, pid: int) -> None:
        pids[name] = pid
        if info is not None:
            info.pids = dict(pids)
            info.write(setup.directory)

    supervisor = Supervisor(setup, started)

    def signalled() -> None:
        # A second signal: the user does not want to wait for the grace periods.
        if stop.is_set():
            supervisor.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    try:
        if setup.store == "s3" and setup.s3 is None:
            await check_named()
        starting = asyncio.create_task(supervisor.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        await starting
        info = UpInfo(
            api_url=setup.url("api"),
            api_key=setup.credentials.api_key,
            kubeconfig=setup.kubeconfig,
            metrics_url=setup.url("metrics") + "/metrics",
            api_metrics_url=setup.url("api-metrics") + "/metrics",
            console_url=setup.url("api") + "/docs",
            redis_url=setup.redis_url,
            s3_url=setup.s3.url if setup.s3 else None,
            gpu_slots=setup.gpus,
            gpu_devices=real_gpus(),
            webhook_secret=setup.credentials.webhook_secret,
            pids=pids,
        )
        info.write(setup.directory)
        on_ready(info)
        await stopping
    finally:
        _file(setup.directory).unlink(missing_ok=True)
        info = None
        await supervisor.stop()


@contextlib.contextmanager
def embedded(
    directory: Path, *, api_port: int = 0, gpus: int | None = None, store: Kind | None = None, timeout: float = 120
) -> Iterator[UpInfo]:
    """The local mode as a child process, running for the duration of a `with` block.

    Call it from the main thread: the child dies with the thread that started it.

    Args:
        directory: holds all state.
        api_port: port of the REST API; 0 picks a free one.
        gpus: `nvidia.com/gpu` slots; None: one per NVIDIA device, or a few virtual ones without a device.
        store: where media is stored; by default what the environment says.
        timeout: seconds until it must be ready.

    Raises:
        StartError: it did not start.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments = ["--dir", str(directory), "--api-port", str(api_port)]
    arguments += ["--gpus", str(gpus)] if gpus is not None else []
    arguments += ["--store", store] if store else []
    output = directory / "up.log"
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        process = subprocess.Popen(
            die_with_parent([sys.executable, "-m", "mediatask_local.up", *arguments], signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield _wait_ready(process, directory, output, timeout)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], directory: Path, output: Path, timeout: float) -> UpInfo:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            info = UpInfo.read(directory)
            if info.pids["up"] == process.pid:
                return info
        if process.poll() is not None:
            raise StartError(f"the local mode exited at startup:\n{output.read_text()[-4000:]}")
        time.sleep(0.05)
    raise StartError(f"the local mode is not ready after {timeout:.0f} s; see {output} and {directory / 'logs'}")


def _take(lock: IO[str]) -> str | None:
    """Lock the folder. Returns None, or the PID of the process that holds the lock. The kernel releases it on exit."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        return lock.read().strip() or "unknown"
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return None


def _file(directory: Path) -> Path:
    return directory / "up.json"


def _complain(message: str) -> int:
    print(f"mediatask up: {message}", file=sys.stderr)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mediatask_local.up", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="folder for all state")
    parser.add_argument("--api-port", type=int, default=8001, help="port of the REST API; 0 picks a free one")
    parser.add_argument("--gpus", type=int, help="nvidia.com/gpu slots; default: one per NVIDIA device")
    parser.add_argument("--store", choices=get_args(Kind), default=kind_of(), help="where media is stored")
    arguments = parser.parse_args()
    setup_logging()
    options = {"api_port": arguments.api_port, "gpus": arguments.gpus, "store": arguments.store}
    sys.exit(run(arguments.dir, **options, on_ready=lambda info: None))


if __name__ == "__main__":
    main()
