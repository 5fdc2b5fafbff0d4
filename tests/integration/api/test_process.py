"""The process itself: two listeners, real sockets, a graceful end."""

from __future__ import annotations

import asyncio
import resource
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mediatask_common.access.keys import ApiKey, new_key
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import Kube
from support.front import api_replica
from support.processes import AnyProcess, free_port

from .conftest import PROMPT

PATIENCE = 60
"""Seconds that an answer or an end may take on a busy machine."""


async def _store(kubeconfig: Path, namespace: str, key: ApiKey) -> None:
    async with await Kube.connect(kubeconfig) as kube:
        await KeysSecret(kube, namespace).create(f"test-{secrets.token_hex(3)}", key, make_secret=True)


@contextmanager
def process(
    folder: Path, kubeconfig: Path, namespace: str, *, drain_seconds: float = 0, cold: bool = False, **settings: str
) -> Iterator[tuple[httpx.Client, int, AnyProcess]]:
    """A caller of it, the port of its internal listener, and the process.

    With `cold` it starts as in a pod, imports included.
    """
    secret, stored = new_key(role="producer")
    with ThreadPoolExecutor() as apart:  # the caller may be a coroutine
        apart.submit(lambda: asyncio.run(_store(kubeconfig, namespace, stored))).result()
    settings = {"MEDIATASK_DRAIN_SECONDS": str(drain_seconds), **settings}
    with (
        api_replica(kubeconfig, namespace, folder, folder / "api.log", settings, cold=cold) as replica,
        httpx.Client(
            base_url=f"http://127.0.0.1:{replica.port}", headers={"X-API-Key": secret}, timeout=PATIENCE
        ) as client,
    ):
        yield client, replica.internal, replica.running


def test_both_listeners_serve_and_sigterm_ends_them_cleanly(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    with process(tmp_path, kubeconfig, namespace, cold=True) as (client, internal, running):
        assert client.post("/api/v1/tasks/submit", json=PROMPT).status_code == 202
        assert client.get("/internal/v1/tasks/x/progress").status_code == 404, "pods' routes are not public"
        inside = httpx.get(f"http://127.0.0.1:{internal}/api/v1/tasks/x/status", timeout=PATIENCE)
        assert inside.status_code == 404, "and callers' routes are not inside"
        running.terminate()
        assert running.wait(PATIENCE) == 0
    assert "Traceback" not in (tmp_path / "api.log").read_text()


def test_the_system_health_api_has_a_port_of_its_own_where_it_is_set(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    settings = {
        "MEDIATASK_SYSTEM_HEALTH_HOST": "127.0.0.1",
        "MEDIATASK_SYSTEM_HEALTH_PORT": str(port := free_port()),
        "MEDIATASK_ENVIRONMENT": "staging",
        "PROMETHEUS_URL": "http://user:hidden@127.0.0.1:1",
        "MEDIATASK_PROMETHEUS_URL": "http://user:secret@127.0.0.1:1",
    }
    with process(tmp_path, kubeconfig, namespace, **settings):
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=PATIENCE)
        assert answer.json()["environment"] == "staging"
        assert answer.json()["services"]["prometheus"]["status"] == "down"
    log = (tmp_path / "api.log").read_text()
    assert "PROMETHEUS_URL" in log, "the contradiction is told"
    assert "hidden" not in log
    assert "secret@" not in log


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_refused_on_the_wire(
    tmp_path: Path, kubeconfig: Path, namespace: str, chunked: bool
) -> None:
    with process(tmp_path, kubeconfig, namespace) as (client, _, _running):
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=PATIENCE) as wire:
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {300 * 1024}"
            head = f"POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nX-API-Key: {client.headers['X-API-Key']}\r\n"
            wire.sendall(f"{head}{framing}\r\n\r\n".encode())
            if chunked:
                for _ in range(65):
                    wire.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
            answer = wire.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert client.get("/api/v1/health/live").status_code == 200


def test_a_low_limit_of_descriptors_is_raised(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
    try:
        with process(tmp_path, kubeconfig, namespace, cold=True) as (_, _, running):
            assert resource.prlimit(running.pid, resource.RLIMIT_NOFILE) == (limits[1], limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_metrics_have_a_port_of_their_own_and_nothing_else_is_there(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    port = free_port()
    with process(tmp_path, kubeconfig, namespace, MEDIATASK_METRICS_PORT=str(port)) as (client, internal, _running):
        task_id = client.post("/api/v1/tasks/submit", json=PROMPT).json()["task_id"]
        assert client.get("/metrics").status_code == 404
        assert httpx.get(f"http://127.0.0.1:{internal}/metrics", timeout=PATIENCE).status_code == 404
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as metrics:
            text = metrics.get("/metrics").text
            assert 'mediatask_api_requests_total{listener="public"' in text
            for path in (f"/api/v1/tasks/{task_id}/status", "/internal/v1/tasks/x/data", "/docs"):
                answer = metrics.get(path, headers={"X-API-Key": client.headers["X-API-Key"]})
                assert answer.headers["content-type"].startswith("text/plain"), "nothing but metrics"
                assert task_id not in answer.text
        promtool = shutil.which("promtool")
        if promtool is not None:
            checked = subprocess.run(
                [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr
