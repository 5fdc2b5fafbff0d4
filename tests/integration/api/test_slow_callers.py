"""Callers that send half of what they announce, and more of them than there is room for."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest

from .conftest import PROMPT
from .test_process import PATIENCE, process


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=PATIENCE)


@pytest.mark.slow
def test_bodies_that_stop_half_way_end_in_time(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    with process(tmp_path, kubeconfig, namespace) as (client, _, _running):
        slow = [connect(client) for _ in range(50)]
        key = client.headers["X-API-Key"]
        head = f"POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: 100\r\n\r\n"
        for connection in slow:
            connection.sendall(head.encode() + b'{"project_id": ')
        assert client.post("/api/v1/tasks/submit", json=PROMPT).status_code == 202, "others are served"
        for connection in slow:
            answer = b""
            while part := connection.recv(65536):
                answer += part
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"body-timeout" in answer
            connection.close()


def test_connections_beyond_the_limit_are_refused_until_there_is_room(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    settings = {"MEDIATASK_MAX_CONNECTIONS": "8", "MEDIATASK_HEAD_SECONDS": "600"}
    with process(tmp_path, kubeconfig, namespace, **settings) as (client, _, _running):

        def status() -> int:
            headers = {"Connection": "close"}
            return client.get("/api/v1/health/live", headers=headers).status_code

        def becomes(wanted: int) -> None:
            deadline = time.monotonic() + PATIENCE
            while status() != wanted:
                assert time.monotonic() < deadline, f"never {wanted}"
                time.sleep(0.05)

        becomes(200)
        idle = [connect(client) for _ in range(7)]
        becomes(200)
        idle.append(connect(client))
        becomes(503)
        idle.pop().close()
        becomes(200)
        for connection in idle:
            connection.close()
