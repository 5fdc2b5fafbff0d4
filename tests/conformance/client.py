"""A plain HTTP client of a Kubernetes API server, so that every check sees exactly what goes over the wire."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")) if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else str(self.body)

    @property
    def meta(self) -> dict[str, Any]:
        assert isinstance(self.body, dict), self.body
        return self.body["metadata"]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Connection:
    """Where the server is and how to be let in, from a kubeconfig."""

    url: str
    tls: ssl.SSLContext
    token: str | None

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Connection:
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        authority = _data(cluster, "certificate-authority")
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
        certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
        if certificate and key:
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate + b"\n" + key)
                file.flush()
                tls.load_cert_chain(file.name)
        return cls(cluster["server"], tls, user.get("token"))

    def options(self, token: str | None = None) -> dict[str, Any]:
        """Arguments of an httpx client; `token` replaces the kubeconfig's, an empty one sends none."""
        given = self.token if token is None else token
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        return {"base_url": self.url, "verify": self.tls, "headers": headers, "timeout": 15}


def _named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["name"] == name)


def _data(section: dict[str, Any], name: str) -> bytes | None:
    if f"{name}-data" in section:
        return base64.b64decode(section[f"{name}-data"])
    return Path(section[name]).read_bytes() if name in section else None


class Api:
    """Requests as tests write them: a method, a path, a body, query parameters."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def request(
        self, method: str, path: str, body: Any = None, kind: str = JSON, accept: str = JSON, **query: str
    ) -> Answer:
        headers = {"Accept": accept}
        content = None
        if body is not None:
            headers["Content-Type"] = kind
            content = body if isinstance(body, (str, bytes)) else json.dumps(body)
        response = await self.client.request(method, path, content=content, headers=headers, params=query or None)
        try:
            return Answer(response.status_code, response.json(), response.headers)
        except ValueError:
            return Answer(response.status_code, response.text, response.headers)

    async def get(self, path: str, **query: str) -> Answer:
        return await self.request("GET", path, **query)

    async def post(self, path: str, body: Any, **query: str) -> Answer:
        return await self.request("POST", path, body, **query)

    async def put(self, path: str, body: Any, **query: str) -> Answer:
        return await self.request("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, kind: str = MERGE, **query: str) -> Answer:
        return await self.request("PATCH", path, body, kind, **query)

    async def apply(self, path: str, body: dict[str, Any], manager: str, **query: str) -> Answer:
        text = yaml.safe_dump(body)
        return await self.request("PATCH", path, text, APPLY, fieldManager=manager, **query)

    async def delete(self, path: str, options: dict[str, Any] | None = None, **query: str) -> Answer:
        return await self.request("DELETE", path, options, **query)

    async def create(self, path: str, body: Any, **query: str) -> Answer:
        """POST that must succeed."""
        answer = await self.post(path, body, **query)
        assert answer.status == 201, answer.body
        return answer

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[Watch]:
        """An open watch; it counts as open once the server has answered its head."""
        params = {"watch": "true", **query}
        async with self.client.stream("GET", path, params=params) as response:
            assert response.status_code == 200, (await response.aread()).decode()
            yield Watch(response)


class Watch:
    """The events of one watch in the order in which they come."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def take(self, count: int, seconds: float = 10) -> list[tuple[str, dict[str, Any]]]:
        """The next `count` events as (type, object)."""
        events: list[tuple[str, dict[str, Any]]] = []
        async with asyncio.timeout(seconds):
            while len(events) < count:
                events.append(self._event(await anext(self._lines)))
        return events

    async def rest(self, seconds: float = 15) -> list[tuple[str, dict[str, Any]]]:
        """All events up to the end of the stream."""
        async with asyncio.timeout(seconds):
            return [self._event(line) async for line in self._lines if line]

    @staticmethod
    def _event(line: str) -> tuple[str, dict[str, Any]]:
        event = json.loads(line)
        return event["type"], event["object"]


def names(events: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(kind, obj["metadata"]["name"]) for kind, obj in events]


async def eventually(check: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """The first true value that `check` gives; controllers of a real cluster take their time."""
    end = time.monotonic() + seconds
    while True:
        value = await check()
        if value:
            return value
        assert time.monotonic() < end, f"still {value!r} after {seconds} s"
        await asyncio.sleep(0.1)
