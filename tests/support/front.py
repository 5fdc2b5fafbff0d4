"""Replicas of the API in real processes on real sockets."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_common.access.keys import new_key
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import NAMESPACES, Kube

from .processes import AnyProcess, free_port, python_module, wait_for_port, warm_module

Figure = Callable[[str], None]
"""Says what came of an attack."""

PROBE, ALLOWED = "/api/v1/task-types/nothing", 404
"""A call that takes a valid credential and nothing else, and what it answers then."""


@dataclass
class Front:
    """Replicas of the API in a namespace of their own."""

    kube: Kube
    namespace: str
    keys: KeysSecret
    urls: list[str]
    pids: list[int]
    admin: str
    """A key that may do everything."""

    async def new_key(self, *projects: str, **about: Any) -> tuple[str, str]:
        """Name and secret of another key that all replicas know."""
        name = f"key-{secrets.token_hex(4)}"
        secret, stored = new_key(projects or ("film",), **({"role": "producer"} | about))
        await self.keys.create(name, stored)
        async with self.client(secret) as client:
            for url in self.urls:
                await self.becomes(client, url, ALLOWED)
        return name, secret

    def client(self, key: str = "", token: str = "") -> httpx.AsyncClient:
        headers = {"X-API-Key": key} if key else {"Authorization": f"Bearer {token}"} if token else {}
        # Nothing here is https, and reading certificates would take longer than all else.
        return httpx.AsyncClient(headers=headers, timeout=30, verify=False, trust_env=False)

    @staticmethod
    async def becomes(client: httpx.AsyncClient, url: str, status: int, seconds: float = 30) -> None:
        """Wait until calls are answered so."""

        async def so() -> bool:
            return (await client.get(f"{url}{PROBE}")).status_code == status

        await until(so, seconds)


@dataclass(frozen=True)
class Replica:
    """A process of the API on loopback."""

    port: int
    internal: int
    """Port of the listener for pods."""
    running: AnyProcess


@contextmanager
def api_replica(
    kubeconfig: Path, namespace: str, folder: Path, log: Path, settings: Mapping[str, str], *, cold: bool = False
) -> Iterator[Replica]:
    """A replica that listens on ports of its own, until the end of the block.

    Args:
        folder: for media.
        settings: variables, by their whole names.
        cold: it starts as in a pod, imports included.
    """
    port, internal, metrics = free_port(), free_port(), free_port()
    env = {
        "MEDIATASK_KUBECONFIG": str(kubeconfig),
        "MEDIATASK_NAMESPACE": namespace,
        "MEDIATASK_HOST": "127.0.0.1",
        "MEDIATASK_PORT": str(port),
        "MEDIATASK_INTERNAL_HOST": "127.0.0.1",
        "MEDIATASK_INTERNAL_PORT": str(internal),
        "MEDIATASK_METRICS_HOST": "127.0.0.1",
        "MEDIATASK_METRICS_PORT": str(metrics),
        "MEDIATASK_STORE_FOLDER": str(folder / "media"),
        **settings,
    }
    start = python_module if cold else warm_module
    with start("mediatask_api", env=env, log=log) as running:
        wait_for_port(port, running, log)
        wait_for_port(internal, running, log)
        yield Replica(port, internal, running)


@asynccontextmanager
async def front(
    kube: Kube, kubeconfig: Path, folder: Path, replicas: int, settings: Mapping[str, str]
) -> AsyncIterator[Front]:
    """Replicas in a new namespace, until the end of the block.

    Args:
        kube: with an administrator's rights.
        kubeconfig: of the replicas.
        folder: for logs and media.
        settings: variables, without their `MEDIATASK_`.
    """
    namespace = f"front-{secrets.token_hex(4)}"
    await kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    keys = KeysSecret(kube, namespace)
    admin, stored = new_key(role="producer")
    await keys.create("admin", stored, make_secret=True)
    made = Front(kube, namespace, keys, [], [], admin)
    async with AsyncExitStack() as stack:
        for number in range(replicas):
            named = {f"MEDIATASK_{name}": value for name, value in settings.items()}
            replica = api_replica(kubeconfig, namespace, folder, folder / f"api-{number}.log", named)
            started = await asyncio.to_thread(stack.enter_context, replica)
            made.urls.append(f"http://127.0.0.1:{started.port}")
            made.pids.append(started.running.pid)
        yield made
    await kube.delete(NAMESPACES, namespace)


@pytest.fixture
def open_front(kube: Kube, kubeconfig: Path, tmp_path: Path) -> Callable[..., Any]:
    """Starts replicas of the API as processes, with settings of the test's choice (without their `MEDIATASK_`)."""

    def opened(replicas: int = 1, kubeconfig: Path = kubeconfig, **settings: str) -> Any:
        return front(kube, kubeconfig, tmp_path, replicas, settings)

    return opened


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What the condition gives, as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        await asyncio.sleep(0.02)
    return found


def p99(seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))]
