"""A Brain that speaks MCP: the tools of the platform's documents, over streamable HTTP.

The official client speaks the protocol, and what the Brain sends passes a guard before it: so many bytes in so many
seconds, whatever it sends. Its tools' own schemas are never looked at: they hold regular expressions, and one of the
wrong kind would stop the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import orjson
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import PARSE_ERROR, CallToolRequest, CallToolRequestParams, CallToolResult, TextContent
from pydantic import ValidationError

from mediatask_common.times import utcnow

from ..post import is_refusal, plain, retry_after
from .passages import vector
from .service import ANSWER_LIMIT, CONNECT_SECONDS, QUOTED, BrainAway, BrainRefused, Talk

T = TypeVar("T")

_CLOSING_SECONDS = 2.0
"""What is left of a conversation that is over gets so long to say goodbye."""
_REFUSALS = (-32601, -32602)
"""JSON-RPC: no such method or tool; these arguments are not its own."""


class McpBrain:
    """One MCP server. Each conversation has a connection of its own."""

    stores = True

    def __init__(self, url: str, token: str | None) -> None:
        """The client of a server; nothing is asked yet.

        Args:
            url: the MCP endpoint, for example `https://brain.example.com/mcp`.
            token: sent as `Authorization: Bearer`.
        """
        self._url = url
        self._token = token
        self._tls = ssl.create_default_context()
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "mediatask/1"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        for name in ("mcp", "httpx2"):  # they log what a Brain sends
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def converse(self, run: Callable[[Talk], Awaitable[T]], seconds: float) -> T:
        guard = _Guard(seconds + _CLOSING_SECONDS, self._tls)
        talk = asyncio.ensure_future(self._talk(guard, run, seconds))
        try:
            both: set[asyncio.Future[Any]] = {talk, guard.broken}
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if guard.broken.done():
                raise BrainAway(guard.broken.result())
            if not talk.done():
                raise BrainAway(f"no answer within {seconds:g} s")
        finally:
            if not talk.done():
                talk.cancel()
                await asyncio.wait({talk}, timeout=2 * _CLOSING_SECONDS)
        try:
            return talk.result()
        except BaseExceptionGroup as group:
            raise self._meaning(_first(group), guard) from group
        except (MCPError, httpx2.HTTPError, ValidationError, OSError, RuntimeError, ValueError) as error:
            raise self._meaning(error, guard) from error

    async def close(self) -> None:
        """Nothing to close."""

    async def _talk(self, guard: _Guard, run: Callable[[Talk], Awaitable[T]], seconds: float) -> T:
        timeout = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        async with (
            httpx2.AsyncClient(transport=guard, headers=self._headers, timeout=timeout, trust_env=False) as http,
            Client(streamable_http_client(self._url, http_client=http), cache=None) as client,
        ):
            return await run(_McpTalk(client))

    def _meaning(self, error: BaseException, guard: _Guard) -> Exception:
        """What an error of the conversation says about the Brain."""
        if isinstance(error, BrainAway):
            return BrainAway(self._plain(str(error)), answered=error.answered)
        if isinstance(error, BrainRefused):
            return BrainRefused(self._plain(str(error)))
        status = guard.status
        if status >= 300:
            told = f"the Brain answered {status}"
            if is_refusal(status):
                return BrainRefused(told)
            return BrainAway(told, retry_after(guard.retry_after, utcnow()))
        if isinstance(error, MCPError) and error.error.code != PARSE_ERROR:  # that would quote the whole answer
            told = self._plain(f"the Brain answered: {error.error.message}")
            return BrainRefused(told) if error.error.code in _REFUSALS else BrainAway(told)
        if isinstance(error, httpx2.HTTPError | OSError):
            return BrainAway(self._plain(f"{type(error).__name__}: {error}"))
        return BrainAway(f"the Brain's answer is not one of MCP ({type(error).__name__})")

    def _plain(self, text: str) -> str:
        """An error as it may stand in a status, without the token."""
        return plain(text, QUOTED, self._token)


class _McpTalk:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def similar(self, text: str, context_type: str, project: str, limit: int) -> Any:
        embedding = vector(await self._call("embed_text", text=text, project_id=project))
        if embedding is None:
            raise BrainAway("embed_text: the answer has no embedding", answered=True)
        return await self._call("search_by_embedding", embedding=embedding, project_id=project, limit=limit)

    async def graph(self, query: str, project: str) -> Any:
        return await self._call("query_graph", cypher_query=query, project_id=project)

    async def neighbors(self, node: str, project: str) -> Any:
        return await self._call("get_node_neighbors", node_id=node, project_id=project)

    async def store_document(self, content: str, metadata: dict[str, Any], project: str) -> Any:
        return await self._call("store_document", content=content, metadata=metadata, project_id=project)

    async def store_workflow(self, workflow: str, data: dict[str, Any], project: str) -> Any:
        return await self._call("store_workflow_data", workflow_id=workflow, data=data, project_id=project)

    async def _call(self, tool: str, **arguments: Any) -> Any:
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        # The client's own `call_tool` would check the answer by the schema that the server gives for it.
        result = await self._client.session.send_request(request, CallToolResult)
        texts = [one.text for one in result.content if isinstance(one, TextContent)]
        if result.is_error:
            raise BrainAway(f"{tool}: {' '.join(texts)[:QUOTED]}", answered=True)
        if result.structured_content is not None:
            return result.structured_content
        values = [_parsed(text) for text in texts]
        return values[0] if len(values) == 1 else values


class _Guard(httpx2.AsyncBaseTransport):
    """Passes requests on, and what comes back up to a limit of time and size."""

    def __init__(self, seconds: float, tls: ssl.SSLContext) -> None:
        self._transport = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._left = ANSWER_LIMIT
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why nothing more is read; done only then."""
        self.status = 0
        """HTTP status of the last answer to a message."""
        self.retry_after: str | None = None
        """The header of that answer, as it was sent."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            async with asyncio.timeout_at(self._deadline):
                response = await self._transport.handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("no answer") from error
        if request.method == "POST":
            self.status, self.retry_after = response.status_code, response.headers.get("Retry-After")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise self._break("the Brain packs its answers, though it was not asked to")
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(self, response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def pieces(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        """The body, as far as it is read."""
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        source = aiter(stream)
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    piece = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise httpx2.ReadTimeout("the answer does not end") from error
            self._left -= len(piece)
            if self._left < 0:
                raise self._break(f"the Brain answered with more than {ANSWER_LIMIT} bytes")
            yield piece

    def _break(self, why: str) -> httpx2.ReadError:
        with contextlib.suppress(asyncio.InvalidStateError):
            self.broken.set_result(why)
        return httpx2.ReadError(why)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, guard: _Guard, response: httpx2.Response) -> None:
        self._guard = guard
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._guard.pieces(self._response)

    async def aclose(self) -> None:
        await self._response.aclose()


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the group was made for: what our own questions raised, else the first."""
    leaves = list(_leaves(group))
    return next((one for one in leaves if isinstance(one, BrainAway | BrainRefused)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
