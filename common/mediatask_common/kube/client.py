"""The client: a few verbs over plain JSON objects, with credentials from a kubeconfig file or the pod.

`kubernetes.aio` provides the credentials (exec plugins, rotating in-cluster tokens); its typed models are not
used, because turning every watch event into objects and back costs more than the rest of the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self

import aiohttp
import orjson
from aiohttp.http import HttpProcessingError
from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration

from ..times import utcnow
from .errors import KubeError
from .resources import CONFIGMAPS, Object, Resource

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

BUSY_REPEATS = 5
"""Repeats of a request that the API server was too busy to look at."""
BUSY_PAUSE_SECONDS = 5.0
"""Longest pause before each."""
CONNECTIONS = 128
"""Most connections for requests."""
CONNECT_SECONDS = 10
"""Longest wait for a connection."""
READ_BYTES = 2**22
"""Read ahead of one answer. A line of a stream may be twice as long; an object has at most 1.5 MiB in etcd."""


class Kube:
    """A client of one API server. Use as an async context manager, or `close()` it."""

    def __init__(self, configuration: Configuration, timeout: float, *, keep_alive: bool = True) -> None:
        """Needs a running event loop; arguments as of `connect`."""
        self._host: str = configuration.host.rstrip("/")
        self._configuration = configuration
        self._ahead = timedelta(0)
        tls = _tls(configuration)
        self._requests = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=CONNECTIONS, force_close=not keep_alive),
            timeout=aiohttp.ClientTimeout(total=timeout, connect=CONNECT_SECONDS),
            read_bufsize=READ_BYTES,
        )
        # Apart, since each stream holds its connection for as long as it lasts: no number of them keeps a request
        # waiting. Whoever opens streams bounds how many there are.
        self._streams = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0), read_bufsize=READ_BYTES)

    @classmethod
    async def connect(
        cls, kubeconfig: str | Path | None = None, *, timeout: float = 30, keep_alive: bool = True
    ) -> Self:
        """A client by kubeconfig (argument, else KUBECONFIG, else ~/.kube/config), else the pod's account.

        Args:
            kubeconfig: path of a kubeconfig file.
            timeout: seconds for one request (watches excepted).
            keep_alive: whether requests use connections of earlier ones, which may be dead without anybody knowing.
        """
        configuration = Configuration()
        path = kubeconfig or os.environ.get("KUBECONFIG")
        if path is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            kube_config.load_incluster_config(client_configuration=configuration)
        else:
            await kube_config.load_kube_config(
                config_file=str(path) if path else None, client_configuration=configuration
            )
        return cls(configuration, timeout, keep_alive=keep_alive)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await asyncio.gather(self._requests.close(), self._streams.close())

    @property
    def host(self) -> str:
        """Base URL of the API server."""
        return self._host

    def now(self) -> datetime:
        """The time by the API server's clock, as far as its last answer tells: what it has stamped compares to that."""
        return utcnow() + self._ahead

    def _note_time(self, date: str | None) -> None:
        with contextlib.suppress(TypeError, ValueError):
            ahead = parsedate_to_datetime(date or "") - utcnow()
            # The header is in whole seconds: less than two is no difference.
            self._ahead = ahead if abs(ahead) > timedelta(seconds=2) else timedelta(0)

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """One object. Raises KubeError (404 when absent)."""
        return await self.request("GET", resource.path(namespace, name))

    async def config_map(self, name: str, namespace: str) -> dict[str, str]:
        """The entries of a ConfigMap; none where it is absent. Raises KubeError."""
        try:
            found = await self.get(CONFIGMAPS, name, namespace)
        except KubeError as error:
            if error.not_found:
                return {}
            raise
        return found.get("data") or {}

    async def list(self, resource: Resource, namespace: str | None = None, **params: str) -> Object:
        """One page of a collection, as the List object; `limit`, `continue`, selectors as parameters."""
        return await self.request("GET", resource.path(namespace), params=params)

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, page: int = 500, **params: str
    ) -> AsyncIterator[Object]:
        """A whole collection, list by list of `page` objects; a watch goes on from the first one's resourceVersion."""
        token = ""
        while True:
            listed = await self.list(
                resource, namespace, limit=str(page), **params, **({"continue": token} if token else {})
            )
            yield listed
            token = listed["metadata"].get("continue", "")
            if not token:
                return

    async def list_all(
        self, resource: Resource, namespace: str | None = None, *, page: int = 500, **params: str
    ) -> AsyncIterator[Object]:
        """Every object of a collection, read in pages."""
        async for listed in self.pages(resource, namespace, page=page, **params):
            for item in listed["items"]:
                yield item

    async def create(self, resource: Resource, body: Object, namespace: str | None = None, **params: str) -> Object:
        return await self.request("POST", resource.path(namespace), body, params=params)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        content_type: str = MERGE,
        **params: str,
    ) -> Object:
        """Merge patch by default; with `metadata.resourceVersion` in the body it is conditional (409)."""
        path = resource.path(namespace, name, subresource)
        return await self.request("PATCH", path, body, content_type=content_type, params=params)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: str = "Background",
        grace_period_seconds: int | None = None,
    ) -> Object:
        """Delete an object; with `uid`, that very one and no namesake."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        return await self.request("DELETE", resource.path(namespace, name), options)

    async def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
    ) -> Object:
        """One request and its JSON answer. Raises KubeError for every answer but 2xx and for no answer.

        429 with a time to come again is no answer yet: the server has not looked at the request. It says so under load,
        and for a second of every kind whose CRD has just been changed, as an upgrade does.
        """
        data = None if body is None else orjson.dumps(body)
        repeats = 0
        while True:
            try:
                return await self._request(method, path, data, content_type, params)
            except KubeError as error:
                if error.status != 429 or error.retry_after is None or repeats == BUSY_REPEATS:
                    raise
                repeats += 1
                await asyncio.sleep(min(error.retry_after, BUSY_PAUSE_SECONDS))

    async def _request(
        self, method: str, path: str, data: bytes | None, content_type: str, params: dict[str, str] | None
    ) -> Object:
        headers = {"Content-Type": content_type, "Accept": "application/json", **await self._auth()}
        try:
            async with self._requests.request(
                method, self._host + path, data=data, headers=headers, params=params
            ) as response:
                content = await response.read()
                self._note_time(response.headers.get("Date"))
                if response.status >= 400:
                    raise KubeError.answered(response.status, content, response.headers.get("Retry-After"))
                return _object(content, f"{method} {path}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, "Unreachable", f"{method} {path}: {error!r}") from error

    async def stream(
        self, path: str, *, params: dict[str, str] | None = None, read_timeout: float | None = None
    ) -> AsyncGenerator[bytes]:
        """The lines of a long answer: a watch or a followed log.

        Args:
            path: as of `Resource.path`.
            params: the query.
            read_timeout: seconds without any news after which the connection counts as lost.

        Raises:
            KubeError: refused, out of reach, or broken off; a line may be cut then.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=read_timeout)
        try:
            async with self._streams.get(
                self._host + path, params=params, headers=await self._auth(), timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise KubeError.answered(response.status, await response.read())
                async for line in response.content:
                    yield line
        # The last two: a line that is too long, as one version of aiohttp or another says it.
        except (TimeoutError, aiohttp.ClientError, OSError, HttpProcessingError, ValueError) as error:
            raise KubeError(0, "Unreachable", f"GET {path}: {error!r}") from error

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        resource_version: str,
        *,
        silence: float | None = None,
        **params: str,
    ) -> AsyncIterator[tuple[str, Object]]:
        """Events of a collection from a version on: (ADDED | MODIFIED | DELETED | BOOKMARK, object).

        Args:
            silence: seconds without any event after which the connection counts as lost.

        Raises:
            KubeError: 410 when the version is too old: list again.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            **params,
        }
        async for line in self.stream(resource.path(namespace), params=query, read_timeout=silence):
            event = _object(line, f"watch of {resource.plural}")
            kind, obj = event.get("type"), event.get("object")
            if not isinstance(kind, str) or not isinstance(obj, dict):
                raise KubeError.broken(f"watch of {resource.plural}: not an event: {line[:100]!r}")
            if kind == "ERROR":
                raise KubeError(int(obj.get("code", 500)), str(obj.get("reason")), str(obj.get("message")))
            yield kind, obj

    async def _auth(self) -> dict[str, str]:
        settings = await self._configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values() if setting["value"]}


def _tls(configuration: Configuration) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return False
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


def _object(content: bytes, what: str) -> Object:
    """The JSON object of an answer. Raises KubeError for anything else."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise KubeError.broken(f"{what}: not JSON: {content[:100]!r}: {error}") from error
    if not isinstance(answer, dict):
        raise KubeError.broken(f"{what}: not a JSON object: {content[:100]!r}")
    return answer
