"""A real S3 server for tests: versitygw, started as the local mode starts it."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from mediatask_common.settings import StoreSettings
from mediatask_local.child import StartError
from mediatask_local.die_with_parent import die_with_parent
from mediatask_local.s3server import HEALTH_PATH, S3Server, find_program

from .processes import READY_SECONDS, free_port
from .required import S3


def s3_program() -> str:
    """versitygw; skips the test where it is not installed, or fails where that would be a lie (CI)."""
    try:
        return find_program()
    except StartError as error:
        S3.unavailable(str(error))


@contextlib.contextmanager
def s3_server(folder: Path, *, port: int | None = None, region: str = "us-east-1") -> Iterator[S3Server]:
    """A server with one bucket and keys of its own; ended with its block."""
    keys = (secrets.token_hex(8), secrets.token_hex(16))
    server = S3Server(s3_program(), folder / "objects", port or free_port(), *keys, region=region)
    server.make_bucket()
    with running(server, folder / "s3.log"):
        yield server


@contextlib.contextmanager
def running(server: S3Server, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            die_with_parent(server.command),
            env=server.environment,
            stdout=out,
            stderr=out,
        )
    try:
        _wait_ready(server, process, log)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(server.url + HEALTH_PATH, trust_env=False).is_success:
                return
        time.sleep(0.05)
    raise AssertionError(f"no S3 server at {server.url}:\n{log.read_text()[-4000:]}")


def settings_of(server: S3Server, **changes: object) -> StoreSettings:
    """Settings of a store on that server."""
    known = {
        "kind": "s3",
        "endpoint_url": server.url,
        "bucket": server.bucket,
        "region": server.region,
        "addressing": "path",
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }
    return StoreSettings.model_validate(known | changes)
