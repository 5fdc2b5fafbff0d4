"""Who is measured: this project's front door, of this checkout or of another, and FastAPI + Celery + Redis."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from bench import machine
from bench.cluster import NAMESPACE, OPERATOR_ACCOUNT, add_account
from bench.contestants import IMAGE, PEER, establish
from cluster.harness import Cluster, Options, service_account_kubeconfig
from cluster.harness.cluster import free_ports
from cluster.harness.processes import Processes
from mediatask_common.access.keys import new_key
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import CLASSES, Kube
from mediatask_crds.names import API_VERSION

ROOT = Path(__file__).parents[2]
PEER_ENVIRONMENT = ROOT / "build" / "bench-peer"
PACKAGES = ("crds", "common", "operator", "api")
UNLIMITED = str(10**9)
READY_SECONDS = 60
PROJECT = "bench"


@dataclass(frozen=True)
class Served:
    """A running front door.

    Attributes:
        port: where it listens, on loopback.
        key: what callers send as X-API-Key.
        processes: process ids by name, of all that serve it; `api` is the front door itself.
        busy: the process whose work goes on after submits, which is waited for between measurements.
    """

    port: int
    key: str
    processes: dict[str, int]
    busy: str


class FrontDoor(Protocol):
    """A front door under measurement."""

    name: str
    """As the results call it."""

    def running(self, folder: Path) -> contextlib.AbstractAsyncContextManager[Served]:
        """A new one with no tasks, all of whose files are in `folder`. Raises ClusterError."""
        ...


class Ours:
    """API, operator and Redis on a real control plane, whose etcd writes to the disk before it answers.

    There are no nodes: a class with one slot keeps one task waiting for a node and all others in the queue.
    """

    def __init__(self, name: str = "mediatask", code: Path = ROOT) -> None:
        """The front door of a checkout in `code`; it runs with the packages that are installed here."""
        self.name = name
        self._code = code

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Served]:
        with Cluster(folder / "cluster", Options(node="none", durable=True), report=lambda _: None) as cluster:
            control_plane = machine.children()
            secret, stored = new_key([PROJECT], role="producer")
            async with await Kube.connect(cluster.kubeconfig) as kube:
                await self._prepare(kube)
                await KeysSecret(kube, NAMESPACE, "mediatask-api-keys").create("bench", stored, make_secret=True)
            # For versions that read the keys from a file.
            keys = folder / "keys.json"
            keys.write_text(json.dumps([{"id": "bench", "sha256": stored.sha256, "projects": [PROJECT]}]))
            account = folder / "account.kubeconfig"
            await asyncio.to_thread(
                service_account_kubeconfig, cluster.kubeconfig, NAMESPACE, OPERATOR_ACCOUNT, account, seconds=36000
            )
            processes = Processes(folder)
            try:
                redis_port, port, internal, metrics, health, operator_metrics = free_ports(6)
                start_redis(processes, folder, redis_port)
                common = {
                    "PYTHONPATH": os.pathsep.join(str(self._code / package) for package in PACKAGES),
                    "KUBECONFIG": str(account),
                    "MEDIATASK_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
                    "MEDIATASK_STORE_KIND": "file",
                    "MEDIATASK_STORE_FOLDER": str(folder / "store"),
                    "MEDIATASK_LOG_STYLE": "json",
                }
                operator = {
                    "MEDIATASK_HEALTH_PORT": str(health),
                    "MEDIATASK_METRICS_PORT": str(operator_metrics),
                }
                processes.start("operator", Path(sys.executable), ["-m", "mediatask_operator"], common | operator)
                api = {
                    "MEDIATASK_HOST": "127.0.0.1",
                    "MEDIATASK_PORT": str(port),
                    "MEDIATASK_INTERNAL_PORT": str(internal),
                    "MEDIATASK_METRICS_PORT": str(metrics),
                    "MEDIATASK_API_KEYS_FILE": str(keys),
                    # Counted, but never reached.
                    "MEDIATASK_REQUESTS_PER_MINUTE": UNLIMITED,
                    "MEDIATASK_SUBMITS_PER_MINUTE": UNLIMITED,
                    "MEDIATASK_MAX_EVENT_STREAMS_PER_KEY": "1024",
                }
                processes.start("api", Path(sys.executable), ["-m", "mediatask_api"], common | api)
                await wait_for_port(processes, port)
                ours = {name: processes.pid(name) for name in ("redis", "operator", "api")}
                yield Served(port, secret, control_plane | ours, busy="operator")
                cluster.check()
                processes.check()
            finally:
                processes.stop()

    async def _prepare(self, kube: Kube) -> None:
        for file in sorted((self._code / "crds").glob("*.yaml")):
            await establish(kube, yaml.safe_load(file.read_text()))
        spec = {"taskTypes": ["generate_image"], "default": True, "image": IMAGE, "maxInFlight": 1}
        body = {"apiVersion": API_VERSION, "kind": "MediaTaskClass", "metadata": {"name": "bench"}, "spec": spec}
        await kube.create(CLASSES, body)
        await add_account(kube)


class Peer:
    """FastAPI + Celery + Redis: peer/front_door, with a worker that is busy with its first task."""

    name = "FastAPI + Celery"

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Served]:
        await asyncio.to_thread(_install_peer)
        programs = PEER_ENVIRONMENT / "bin"
        redis_port, port = free_ports(2)
        secret = os.urandom(16).hex()
        environment = {
            "PYTHONPATH": str(PEER / "front_door"),
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "API_KEY_SHA256": hashlib.sha256(secret.encode()).hexdigest(),
        }
        processes = Processes(folder)
        try:
            start_redis(processes, folder, redis_port)
            await wait_for_port(processes, redis_port)
            worker = ["-A", "service:queue", "worker", "--pool=solo", "--prefetch-multiplier=1", "--loglevel=WARNING"]
            processes.start("worker", programs / "celery", worker, environment)
            listening = ["service:app", "--host=127.0.0.1", f"--port={port}", "--no-access-log"]
            processes.start("api", programs / "uvicorn", listening, environment)
            await wait_for_port(processes, port)
            pids = {name: processes.pid(name) for name in ("redis", "worker", "api")}
            yield Served(port, secret, pids, busy="worker")
            processes.check()
        finally:
            processes.stop()


def _install_peer() -> None:
    """In an environment of its own: Celery is no dependency of this project."""
    wanted_file = PEER / "front_door" / "requirements.txt"
    wanted = wanted_file.read_text()
    installed = PEER_ENVIRONMENT / "requirements.txt"
    if installed.exists() and installed.read_text() == wanted:
        return
    uv = str(Path(sys.executable).with_name("uv"))
    python = str(PEER_ENVIRONMENT / "bin" / "python")
    subprocess.run([uv, "venv", "--quiet", "--clear", str(PEER_ENVIRONMENT)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(wanted_file)], check=True)
    installed.write_text(wanted)


def start_redis(processes: Processes, folder: Path, port: int) -> None:
    """A Redis that has every write on the disk before it answers."""
    (folder / "redis").mkdir()
    safe = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / "redis"), *safe]
    processes.start("redis", Path("redis-server"), arguments)


async def wait_for_port(processes: Processes, port: int) -> None:
    """Return when somebody listens; nothing else runs meanwhile. Raises ClusterError where nobody does in time."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    processes.wait_until(f"port {port}", listens, READY_SECONDS)
