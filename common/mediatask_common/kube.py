"""Kubernetes over plain JSON objects: few verbs, one error, credentials from kubeconfig or the pod.

`kubernetes.aio` brings the credentials (exec plugins, rotating in-cluster tokens); its typed models are left
aside, because turning every watch event into objects and back costs more than the rest of the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration

from mediatask_crds.names import GROUP, MEDIATASKCLASSES, MEDIATASKS, VERSION

Object = dict[str, Any]
Body = dict[str, Any] | list[dict[str, Any]]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

BUSY_REPEATS = 5
"""So often a request is sent again that the API server had no time for."""
BUSY_PAUSE_SECONDS = 5.0
"""Longest pause before that."""


@dataclass(frozen=True)
class Resource:
    """A kind of object by its place in the API."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of a collection, an object or its subresource."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace is not None:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


TASKS = Resource(GROUP, VERSION, MEDIATASKS)
CLASSES = Resource(GROUP, VERSION, MEDIATASKCLASSES, namespaced=False)
JOBS = Resource("batch", "v1", "jobs")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
NODES = Resource("", "v1", "nodes", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
TOKENREVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", namespaced=False)


class KubeError(Exception):
    """The API server refused, or could not be reached (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """The object has changed since it was read."""
        return self.status == 409 and self.reason == "Conflict"

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def unavailable(self) -> bool:
        """Nothing wrong with the request: worth trying again later."""
        return self.status == 0 or self.status == 429 or self.status >= 500


class Kube:
    """A client of one API server. Use as an async context manager, or `close()` it."""

    def __init__(self, host: str, session: aiohttp.ClientSession, configuration: Configuration) -> None:
        self._host = host.rstrip("/")
        self._session = session
        self._configuration = configuration

    @classmethod
    async def connect(cls, kubeconfig: str | Path | None = None, *, timeout: float = 30) -> Self:
        """A client by kubeconfig (argument, else KUBECONFIG, else ~/.kube/config), else the pod's account.

        Args:
            kubeconfig: path of a kubeconfig file.
            timeout: seconds for one request (watches excepted).
        """
        configuration = Configuration()
        path = kubeconfig or os.environ.get("KUBECONFIG")
        if path is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            kube_config.load_incluster_config(client_configuration=configuration)
        else:
            await kube_config.load_kube_config(
                config_file=str(path) if path else None, client_configuration=configuration
            )
        tls: ssl.SSLContext | bool = False
        if configuration.host.startswith("https"):
            tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
            if configuration.cert_file:
                tls.load_cert_chain(configuration.cert_file, configuration.key_file)
            if not configuration.verify_ssl:
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=128),
            timeout=aiohttp.ClientTimeout(total=timeout, connect=10),
            read_bufsize=2**22,
        )
        return cls(configuration.host, session, configuration)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    @property
    def configuration(self) -> Configuration:
        """Address and credentials, for another client of the same server."""
        return self._configuration

    async def authorization(self) -> str | None:
        """The Authorization header as it is now: in-cluster tokens rotate."""
        return (await self._auth()).get("authorization")

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """One object. Raises KubeError (404 when absent)."""
        return await self.request("GET", resource.path(namespace, name))

    async def list(self, resource: Resource, namespace: str | None = None, **params: str) -> Object:
        """One page of a collection, as the List object; `limit`, `continue`, selectors as parameters."""
        return await self.request("GET", resource.path(namespace), params=params)

    async def list_all(
        self, resource: Resource, namespace: str | None = None, *, page: int = 500, **params: str
    ) -> AsyncIterator[Object]:
        """Every object of a collection, read in pages."""
        token = ""
        while True:
            listed = await self.list(
                resource, namespace, limit=str(page), **params, **({"continue": token} if token else {})
            )
            for item in listed["items"]:
                yield item
            token = listed["metadata"].get("continue", "")
            if not token:
                return

    async def create(self, resource: Resource, body: Object, namespace: str | None = None, **params: str) -> Object:
        return await self.request("POST", resource.path(namespace), body, params=params)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Body,
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
        body: Body | None = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
    ) -> Object:
        """One request and its JSON answer. Raises KubeError for every answer but 2xx and for no answer.

        429 with a time to come again is no answer yet: the server has not looked at the request. It says so under load,
        and for a second of every kind whose definition has just been changed, as an upgrade does.
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
            async with self._session.request(
                method, self._host + path, data=data, headers=headers, params=params
            ) as response:
                content = await response.read()
                if response.status >= 400:
                    raise _error(response.status, content, response.headers.get("Retry-After"))
                answer: Object = orjson.loads(content)
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, "Unreachable", f"{method} {path}: {error!r}") from error

    async def stream(
        self, path: str, *, params: dict[str, str] | None = None, read_timeout: float | None = None
    ) -> AsyncIterator[bytes]:
        """The lines of a long answer: a watch or a followed log."""
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=read_timeout)
        try:
            async with self._session.get(
                self._host + path, params=params, headers=await self._auth(), timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), None)
                async for line in response.content:
                    yield line
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
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
            event = orjson.loads(line)
            if event["type"] == "ERROR":
                status = event["object"]
                raise KubeError(int(status.get("code", 500)), str(status.get("reason")), str(status.get("message")))
            yield event["type"], event["object"]

    async def _auth(self) -> dict[str, str]:
        settings = await self._configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values() if setting["value"]}


def _error(status: int, content: bytes, retry_after: str | None) -> KubeError:
    reason, message = "Unknown", content[:500].decode(errors="replace")
    with contextlib.suppress(ValueError, AttributeError):
        answer = orjson.loads(content)
        reason, message = answer.get("reason") or reason, answer.get("message") or message
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return KubeError(status, reason, message, seconds)
