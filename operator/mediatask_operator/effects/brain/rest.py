"""A Brain that does not speak MCP yet: `GET /api/v1/knowledge/query`, which finds and stores nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import aiohttp
import orjson
from yarl import URL

from mediatask_common.times import utcnow

from ..post import guarded_session, is_refusal, plain, retry_after
from .service import ANSWER_LIMIT, CONNECT_SECONDS, QUOTED, BrainAway, BrainRefused, Talk

T = TypeVar("T")
_QUERY_LIMIT = 2000
"""Characters of a prompt that are asked for: they stand in a URL."""


class RestBrain:
    """One service with the REST form."""

    stores = False

    def __init__(self, url: str, token: str | None) -> None:
        """The client of a service; nothing is asked yet.

        Args:
            url: its base, for example `https://brain.example.com`.
            token: sent as `Authorization: Bearer`.
        """
        self._url = url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def converse(self, run: Callable[[Talk], Awaitable[T]], seconds: float) -> T:
        if self._session is None:
            self._session = self._connect()
        try:
            async with asyncio.timeout(seconds):
                return await run(_RestTalk(self._session, self._url))
        except TimeoutError:
            raise BrainAway(f"no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise BrainAway(plain(f"{type(error).__name__}: {error}", QUOTED, self._token)) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _connect(self) -> aiohttp.ClientSession:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "mediatask/1"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        return guarded_session(headers=headers, timeout=timeout)


class _RestTalk:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._left = ANSWER_LIMIT

    async def similar(self, text: str, context_type: str, project: str, limit: int) -> Any:
        query = {"project_id": project, "context_type": context_type, "query": text[:_QUERY_LIMIT]}
        url = URL(f"{self._url}/api/v1/knowledge/query").with_query(query)
        async with self._session.get(url, allow_redirects=False) as response:
            content = bytearray()
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > self._left:
                    raise BrainAway(f"the Brain answered with more than {ANSWER_LIMIT} bytes")
        self._left -= len(content)
        status = response.status
        if is_refusal(status):
            raise BrainRefused(f"the Brain answered {status}")
        if status != 200:
            raise BrainAway(f"the Brain answered {status}", retry_after(response.headers.get("Retry-After"), utcnow()))
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise BrainAway("the Brain's answer is not JSON") from None

    async def graph(self, query: str, project: str) -> NoReturn:
        raise _only_similar("Graph")

    async def neighbors(self, node: str, project: str) -> NoReturn:
        raise _only_similar("Neighbors")

    async def store_document(self, content: str, metadata: dict[str, Any], project: str) -> NoReturn:
        raise BrainRefused("a Brain with the REST form stores nothing")

    async def store_workflow(self, workflow: str, data: dict[str, Any], project: str) -> NoReturn:
        raise BrainRefused("a Brain with the REST form stores nothing")


def _only_similar(kind: str) -> BrainRefused:
    return BrainRefused(f"a Brain with the REST form answers no question of the kind {kind}")
