"""Requests that are held open: capped, ended with their callers, and never in the way of others."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_common.kube import TASKS
from support.front import until
from support.processes import free_port

from .conftest import PROMPT, World
from .test_logs import set_pod
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


async def test_who_has_lost_the_key_meanwhile_does_not_hear_the_end(world: World) -> None:
    caller = await world.caller("film")
    task_id = await world.submit()
    status = asyncio.create_task(caller.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=30"}))
    submit = asyncio.create_task(caller.post("/tasks/submit", json=PROMPT, headers={"Prefer": "wait=30"}))

    async def both_held() -> bool:
        return world.services.caps.waiters._held.total() == 2

    async def two_tasks() -> list[str]:
        tasks = (await world.kube.list(TASKS, world.namespace))["items"]
        return [task["metadata"]["name"] for task in tasks] if len(tasks) == 2 else []

    async def refused() -> bool:
        return (await caller.get("/stats")).status_code == 401

    await until(both_held)
    names = await until(two_tasks)
    await world.keys.revoke("key-2")
    await until(refused)
    for name in names:
        await world.set_status(name, phase="failed")
    assert (await status).status_code == 401
    accepted = await submit
    assert (accepted.status_code, accepted.json()["status"]) == (202, "queued"), "it was accepted before"


async def test_a_submit_that_cannot_be_held_creates_nothing(open_world: Callable[..., Any]) -> None:
    async with open_world(max_held_requests=1) as world:
        task_id = await world.submit()
        waiting = asyncio.create_task(world.api.get(f"/tasks/{task_id}/status", headers={"Prefer": "wait=30"}))

        async def held() -> bool:
            return world.services.caps.waiters._held.total() == 1

        await until(held)
        refused = await world.api.post("/tasks/submit", json=PROMPT, headers={"Prefer": "wait=30"})
        assert refused.status_code == 429
        tasks = (await world.kube.list(TASKS, world.namespace))["items"]
        assert [task["metadata"]["name"] for task in tasks] == [task_id], "a caller tries again after a 429"
        await world.set_status(task_id, phase="failed")
        await waiting


@pytest.mark.skipif("KUBECONFIG_FOR_TESTS" in os.environ, reason="needs a kubelet there")
async def test_followers_of_logs_are_in_nobodys_way(world: World, tmp_path: Path, kubeconfig: Path) -> None:
    task_id = await world.submit()
    log = tmp_path / "running.log"
    log.write_text("one\n")
    await set_pod(world, await world.pod(task_id, nodeName="node"), "Running", log)
    settings = {"MEDIATASK_MAX_LOG_FOLLOWERS": "200", "MEDIATASK_MAX_LOG_FOLLOWERS_PER_KEY": "150"}
    with process(tmp_path, kubeconfig, world.namespace, **settings) as (client, _, _running):
        path = f"/api/v1/tasks/{task_id}/logs"
        unbounded = httpx.Limits(max_connections=None)
        key = {"X-API-Key": client.headers["X-API-Key"]}
        async with httpx.AsyncClient(base_url=client.base_url, headers=key, limits=unbounded, timeout=180) as api:
            async with AsyncExitStack() as following:
                lines: list[AsyncIterator[str]] = []  # what is not referred to any more is closed

                async def follow() -> None:
                    answer = await following.enter_async_context(api.stream("GET", path, params={"follow": "true"}))
                    assert answer.status_code == 200
                    lines.append(answer.aiter_lines())
                    assert await anext(lines[-1]) == "one"

                await asyncio.gather(*(follow() for _ in range(150)))
                refused = await api.get(path, params={"follow": "true"})
                assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
                assert (await api.get(path)).text == "one\n", "whoever does not follow is not capped"
                start = time.monotonic()
                for _ in range(5):
                    assert (await api.post("/api/v1/tasks/submit", json=PROMPT)).status_code == 202
                    assert (await api.get("/api/v1/health")).json()["status"] == "healthy"
                assert time.monotonic() - start < 10

            async def room() -> bool:
                async with api.stream("GET", path, params={"follow": "true"}) as answer:
                    return answer.status_code == 200

            await until(room)


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


def send(client: httpx.Client, head: str, body: bytes = b"") -> socket.socket:
    """A connection on which a request has begun."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)
    connection.sendall(f"{head}\r\n\r\n".encode() + body)
    return connection


def test_nobody_is_waited_for_whose_request_is_refused_anyway(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    with process(tmp_path, kubeconfig, namespace) as (client, _, _running):
        rest = f"Host: x\r\nX-API-Key: {client.headers['X-API-Key']}\r\nContent-Length: 1000"
        for head, status in (
            ("POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nContent-Length: 1000", 401),
            ("POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: 1000", 401),
            (f"POST /api/v1/no/such/route HTTP/1.1\r\n{rest}", 404),
            (f"POST /api/v1/health HTTP/1.1\r\n{rest}", 405),
        ):
            with send(client, head, b'{"half": ') as connection:
                assert connection.recv(4096).startswith(f"HTTP/1.1 {status} ".encode()), head


def test_a_caller_who_hangs_up_within_a_body_is_no_failure_of_the_service(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    port = free_port()
    with process(tmp_path, kubeconfig, namespace, MEDIATASK_METRICS_PORT=str(port)) as (client, _, _running):
        head = f"POST /api/v1/tasks/submit HTTP/1.1\r\nHost: x\r\nX-API-Key: {client.headers['X-API-Key']}"
        send(client, f"{head}\r\nContent-Length: 1000", b'{"half": ').close()
        deadline = time.monotonic() + 20
        while not (counted := _counted(port)):
            assert time.monotonic() < deadline, "the request never ended"
        assert 'status="499"' in counted[0]
    assert "unexpected failure" not in (tmp_path / "api.log").read_text()


def _counted(port: int) -> list[str]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text
    return [line for line in text.splitlines() if line.startswith("mediatask_api_requests_total") and "submit" in line]
