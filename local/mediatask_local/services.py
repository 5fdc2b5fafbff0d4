"""The processes of the local mode: their commands, environments and readiness checks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from mediatask_common.kube import NODES, Kube, KubeError

from .child import Service
from .credentials import Credentials
from .jobrunner.scheduling.node import NAME, PID_ANNOTATION
from .ports import HOST
from .redisserver import RedisServer, find_server
from .s3server import HEALTH_PATH, S3Server, find_program
from .stores import ENV_KIND, Kind, names_s3, without_credentials

LOOPBACK = ["127.0.0.0/8", "::1/128"]
"""Allowed for callbacks and inputs here: a developer's webhook receiver runs on the same machine."""
RUNNER_GRACE_SECONDS = 15.0
ENV_REDIS_URL = "MEDIATASK_REDIS_URL"

Ready = Callable[[int], Awaitable[bool]]


class Setup:
    """Everything the services of one state folder need to know about each other.

    Raises:
        StartError: it has to start an S3 server and versitygw is not installed.
    """

    def __init__(
        self, directory: Path, ports: dict[str, int], credentials: Credentials, gpus: int, store: Kind = "file"
    ) -> None:
        self.directory = directory
        self.ports = ports
        self.credentials = credentials
        self.gpus = gpus
        self.store = store
        self.cluster_dir = directory / "cluster"
        self.kubeconfig = self.cluster_dir / "kubeconfig"
        external_redis = os.environ.get(ENV_REDIS_URL) or os.environ.get("REDIS_URL")
        self.redis: RedisServer | None = None if external_redis else find_server(directory / "redis")
        self.redis_url: str | None = self.redis.url if self.redis else external_redis
        self.s3: S3Server | None = None
        if store == "s3" and not names_s3():
            keys = (credentials.s3_access_key_id, credentials.s3_secret_access_key)
            self.s3 = S3Server(find_program(), directory / "s3", ports["s3"], *keys)

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"


def api_server(setup: Setup) -> Service:
    async def ready(_pid: int) -> bool:
        return await _kubernetes_ready(setup, lambda kube: kube.request("GET", "/version"))

    port = str(setup.ports["kubernetes"])
    command = _python("mediatask_local.apiserver", "--dir", str(setup.cluster_dir), "--port", port)
    return Service("apiserver", command, without_credentials(), ready)


def redis_server(setup: Setup) -> Service | None:
    """Redis; None when the user has one (REDIS_URL) or none is installed: then everything is read from Kubernetes."""
    server = setup.redis
    if server is None:
        return None

    async def ready(_pid: int) -> bool:
        return await _redis_ready(server.socket)

    server.make_folder()
    return Service("redis", server.command, without_credentials(), ready)


def s3_server(setup: Setup) -> Service | None:
    """The S3 server; None when media is stored elsewhere."""
    server = setup.s3
    if server is None:
        return None

    async def ready(_pid: int) -> bool:
        return await _http_ok(server.url + HEALTH_PATH)

    server.make_bucket()
    return Service("s3", server.command, server.environment, ready)


def operator(setup: Setup) -> Service:
    async def ready(_pid: int) -> bool:
        return await _http_ok(setup.url("health") + "/healthz")

    own = {
        "MEDIATASK_JOB_API_URL": setup.url("internal"),
        "MEDIATASK_WEBHOOK_SECRETS_FILE": str(setup.credentials.webhook_secrets_file),
        "MEDIATASK_HEALTH_HOST": HOST,
        "MEDIATASK_HEALTH_PORT": str(setup.ports["health"]),
        "MEDIATASK_METRICS_HOST": HOST,
        "MEDIATASK_METRICS_PORT": str(setup.ports["metrics"]),
    }
    return Service("operator", _python("mediatask_operator"), _environment(setup) | own, ready, grace_seconds=25)


def api(setup: Setup) -> Service:
    async def ready(_pid: int) -> bool:
        return await _http_ok(setup.url("api") + "/api/v1/health/ready")

    own = {
        "MEDIATASK_HOST": HOST,
        "MEDIATASK_PORT": str(setup.ports["api"]),
        "MEDIATASK_INTERNAL_HOST": HOST,
        "MEDIATASK_INTERNAL_PORT": str(setup.ports["internal"]),
        "MEDIATASK_METRICS_HOST": HOST,
        "MEDIATASK_METRICS_PORT": str(setup.ports["api-metrics"]),
        "MEDIATASK_SYSTEM_HEALTH_HOST": HOST,
        "MEDIATASK_PUBLIC_URL": setup.url("api"),
    }
    return Service("api", _python("mediatask_api"), _environment(setup) | own, ready, grace_seconds=25)


def job_runner(setup: Setup) -> Service:
    async def ready(pid: int) -> bool:
        async def registered(kube: Kube) -> bool:
            node = await kube.get(NODES, NAME)
            return bool(node["metadata"]["annotations"][PID_ANNOTATION] == str(pid))

        return await _kubernetes_ready(setup, registered)

    arguments = ["--dir", str(setup.directory), "--kubeconfig", str(setup.kubeconfig)]
    arguments += ["--gpus", str(setup.gpus), "--grace", str(RUNNER_GRACE_SECONDS)]
    command = _python("mediatask_local.jobrunner", *arguments)
    return Service("jobrunner", command, without_credentials(), ready, grace_seconds=RUNNER_GRACE_SECONDS + 8)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _environment(setup: Setup) -> dict[str, str]:
    """Environment variables that operator and API share."""
    # A proxy set in the environment must not be used for loopback. The lowercase variable takes precedence.
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    shared = {
        "MEDIATASK_BUDGETS_CONFIG_MAP": "default/mediatask-budgets",
        **_with_store(setup),
        "no_proxy": f"{no_proxy},{HOST}" if no_proxy else HOST,
        "KUBECONFIG": str(setup.kubeconfig),
        "MEDIATASK_KUBECONFIG": str(setup.kubeconfig),
        "MEDIATASK_ALLOW_NETWORKS": json.dumps(LOOPBACK),
        "MEDIATASK_LOG_STYLE": "json",
    }
    shared.pop(ENV_REDIS_URL, None)
    return shared | ({ENV_REDIS_URL: setup.redis_url} if setup.redis_url else {})


def _with_store(setup: Setup) -> dict[str, str]:
    """The user's environment plus store settings: our own S3 server's override it, those of a folder are defaults."""
    if setup.s3 is not None:
        return {**without_credentials(), **setup.s3.store_variables}
    if setup.store == "s3":
        return {**os.environ, ENV_KIND: "s3"}
    return {
        "MEDIATASK_STORE_FOLDER": str(setup.directory / "media"),
        "MEDIATASK_STORE_SECRET_FILE": str(setup.credentials.store_secret_file),
        "MEDIATASK_STORE_GET_URL": setup.url("api") + "/media",
        "MEDIATASK_STORE_PUT_URL": setup.url("internal") + "/store",
        **os.environ,
        ENV_KIND: "file",
    }


async def _redis_ready(socket: Path) -> bool:
    """Whether Redis answers a PING. Without the client library, whose import takes a third of a second."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()


async def _kubernetes_ready(setup: Setup, check: Callable[[Kube], Awaitable[object]]) -> bool:
    if not setup.kubeconfig.exists():
        return False
    async with await Kube.connect(setup.kubeconfig, timeout=5) as kube:
        try:
            return bool(await check(kube))
        except (KubeError, KeyError):
            return False


async def _http_ok(url: str) -> bool:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(url) as response:
                return response.status == 200
        except (TimeoutError, aiohttp.ClientError):
            return False
