"""Which neighbours the settings name, and how each is asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mediatask_common.kube import TASKS, Kube
from mediatask_common.redisview import RedisView
from mediatask_common.store import ArtifactStore

from ...settings import ApiSettings
from .registry import TIMEOUT_SECONDS, Neighbour, Unwell

BUFFER = 16 * 1024
"""Bytes of an answer's body that may arrive before the connection is closed; the body is never looked at."""
Check = Callable[[], Awaitable[object]]


def own_checks(kube: Kube, namespace: str, view: RedisView | None, store: ArtifactStore) -> dict[str, Check]:
    """How to ask what this service itself works with."""
    # This very list: it needs the API server, our CRD and our rights.
    checks: dict[str, Check] = {"kubernetes": lambda: kube.list(TASKS, namespace, limit="1"), "store": store.check}
    return checks if view is None else {**checks, "redis": view.ping}


class Web:
    """Asks services over HTTP whether they are there."""

    def __init__(self) -> None:
        self._resolver = _OwnThreads()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver, force_close=True, limit=16),
            timeout=aiohttp.ClientTimeout(total=2 * TIMEOUT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=BUFFER,
        )

    def check(self, url: str) -> Check:
        """Whether anything answers there; it may ask for credentials that we do not have."""

        async def ask() -> None:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status >= 500:
                    raise Unwell(f"answers {answer.status}")

        return ask

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()


class _OwnThreads(AbstractResolver):
    """Name servers that do not answer hold these threads, not those that resolve names for everybody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="neighbour-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def neighbours(settings: ApiSettings, kube: Kube, own: dict[str, Check], web: Web) -> list[Neighbour]:
    """Every one that the settings name."""
    urls = {"kubernetes": kube.host, "redis": settings.redis_url, "store": settings.store.endpoint_url}
    others = {
        "payload": (settings.payload_api_url, ""),
        "brain": (settings.brain_url, ""),
        "auto_movie": (settings.auto_movie_url, ""),
        "prometheus": (settings.prometheus_url, "/-/healthy"),
        "grafana": (settings.grafana_url, "/api/health"),
    }
    return [
        *(Neighbour(name, shown(urls[name]), check) for name, check in own.items()),
        *(
            Neighbour(name, shown(url), web.check(url.rstrip("/") + path))
            for name, (url, path) in others.items()
            if url
        ),
    ]


def shown(url: str | None) -> str | None:
    """A URL without what may be a credential: user, password, query and fragment.

    A password may hold any character, even those that end it for a parser, so that everything before the last `@` goes,
    and then the path, too: it may be a part of the password.
    """
    if not url:
        return None
    scheme, separator, rest = url.partition("://")
    if not separator:
        return None
    if "@" in rest:
        rest = rest.rpartition("@")[2]
        host = rest.partition("/")[0].partition("?")[0].partition("#")[0]
        return f"{scheme}://{host}"
    parts = urlsplit(f"//{rest}")
    return f"{scheme}://{parts.netloc}{parts.path}"
