"""Requests that are held open: capped, ended with their callers, and never in the way of others."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import PROMPT, until
from .test_process import process


async def test_one_key_may_hold_so_many_waits_and_no_more(open_world: Callable[..., Any]) -> None:
    async with open_world(max_held_requests=3, max_held_requests_per_key=2) as world:
        other = await world.caller("film")
        task_id = await world.submit()
        waiting = [
            asyncio.create_task(world.api.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=30"}))
            for _ in range(2)
        ]
        cap = world.services.caps.waiters

        async def held() -> bool:
            return cap._held.total() == 2

        await until(held)
        refused = await world.api.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=30"})
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert (await world.api.get(f"/tasks/{task_id}/status")).status_code == 200, "others calls go on"
        theirs = asyncio.create_task(other.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=30"}))

        async def all_held() -> bool:
            return cap._held.total() == 3

        await until(all_held)
        await world.set_status(task_id, phase="failed")
        answers = await asyncio.gather(*waiting, theirs)
        assert {answer.json()["status"] for answer in answers} == {"failed"}
        assert cap._held.total() == 0


def test_a_wait_ends_with_its_caller(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    with process(tmp_path, kubeconfig, namespace, MEDIATASK_MAX_HELD_REQUESTS="1") as (client, _, _running):
        task_id = client.post("/api/v1/tasks/submit", json=PROMPT).json()["task_id"]
        path, waits = f"/api/v1/tasks/{task_id}/status", {"Prefer": "wait=60"}
        with pytest.raises(httpx.ReadTimeout):
            client.get(path, headers=waits, timeout=1)
        # There is room for one: it is free as soon as the service has noticed that its caller is gone.
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = client.get(path, headers={"Prefer": "wait=1"}, timeout=30)
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                break
            assert answer.status_code == 429
            assert time.monotonic() < deadline, "the wait goes on without its caller"


def test_connections_that_never_finish_a_request_are_closed(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    settings = {"MEDIATASK_HEAD_SECONDS": "2", "MEDIATASK_KEEP_ALIVE_SECONDS": "2"}
    with process(tmp_path, kubeconfig, namespace, **settings) as (client, _, _running):
        address = (client.base_url.host, client.base_url.port or 80)
        silent = [socket.create_connection(address) for _ in range(50)]
        half_heads = [socket.create_connection(address) for _ in range(150)]
        for connection in half_heads:
            connection.sendall(b"POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        between = socket.create_connection(address)
        between.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        between.settimeout(20)
        assert between.recv(4096).startswith(b"HTTP/1.1 200 ")
        between.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHo")
        assert client.post("/api/v1/tasks/submit", json=PROMPT).status_code == 202, "others are served"
        for connection in (*silent, *half_heads):
            connection.settimeout(20)
            assert connection.recv(4096) == b"", "closed without an answer"
            connection.close()
        while between.recv(4096):
            pass
        between.close()
