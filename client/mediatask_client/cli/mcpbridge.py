"""MCP over standard input and output, for programs that start their servers: passes messages on to the service.

It knows nothing of tools: whatever the service has, and whichever version both sides speak, goes through as it is.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from ..config import Connection
from ..credentials import Credential
from ..errors import MediaTaskError
from ..rest.failures import failure, refusal
from ..rest.transport import options

LONGEST_SILENCE = 90.0
"""Seconds without a byte of an answer; the service says something every 15 s while it holds a call."""
INVALID, INTERNAL = -32700, -32603

Message = dict[str, Any]
Write = Callable[[Message], None]

_PLAIN = re.compile(r"[!-~]+")


class Bridge:
    """Carries requests to the service and what it answers back."""

    def __init__(self, connection: Connection, write: Write) -> None:
        self._url = connection.url
        self._credential = Credential(connection)
        self._write = write
        self._version: str | None = None
        """What `initialize` has agreed upon; newer clients say it in each request."""
        self._running: dict[str | int, asyncio.Task[None]] = {}
        timeout = httpx.Timeout(30, connect=5, read=LONGEST_SILENCE)
        self._http = httpx.AsyncClient(**{**options(self._url), "timeout": timeout})

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Carry messages until there are no more. What is held then is given up; its tasks go on."""
        try:
            async for line in lines:
                if line.strip():
                    self._take(line)
        finally:
            for task in list(self._running.values()):
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await self._http.aclose()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            return self._refuse(None, INVALID, f"not JSON: {error}")
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return None  # no request, and there is nothing that the service has asked for
        id_, params = message.get("id"), message.get("params")
        if id_ is None:
            # The service keeps no sessions: of all notices it is told only that somebody gave up, by the closed answer.
            cancelled = params.get("requestId") if isinstance(params, dict) else None
            if message["method"] == "notifications/cancelled" and (task := self._task(cancelled)) is not None:
                task.cancel()
            return None
        if not isinstance(id_, str | int):
            return self._refuse(None, INVALID, "the id of a request is text or a number")
        if (before := self._running.get(id_)) is not None:
            before.cancel()
        task = self._running[id_] = asyncio.create_task(self._carry(id_, message))
        task.add_done_callback(lambda done: self._running.pop(id_) if self._running.get(id_) is done else None)
        return None

    def _task(self, id_: Any) -> asyncio.Task[None] | None:
        return self._running.get(id_) if isinstance(id_, str | int) else None

    async def _carry(self, id_: str | int, message: Message) -> None:
        """A request to the service, and all that it answers."""
        try:
            async with self._http.stream(
                "POST", f"{self._url}/mcp", json=message, headers=self._headers(message), auth=self._credential
            ) as answer:
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            self._pass_on(id_, message, json.loads(line[5:]))
                    return
                body = await answer.aread()
                found = json.loads(body) if "json" in answer.headers.get("content-type", "") else None
                if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
                    raise refusal(answer)
                self._pass_on(id_, message, found)
        except httpx.RequestError as error:
            self._refuse(id_, INTERNAL, str(failure(self._url, error)))
        except MediaTaskError as error:
            self._refuse(id_, INTERNAL, str(error))
        except ValueError as error:
            self._refuse(
                id_, INTERNAL, f"the service at {self._url} has answered with something else than MCP: {error}"
            )

    def _pass_on(self, id_: str | int, request: Message, message: Message) -> None:
        if "method" not in message:
            message["id"] = id_  # one that was refused before its id was read has none
            result = message.get("result")
            if request["method"] == "initialize" and isinstance(result, dict):
                self._version = result.get("protocolVersion")
        self._write(message)

    def _refuse(self, id_: str | int | None, code: int, why: str) -> None:
        self._write({"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": why}})

    def _headers(self, message: Message) -> dict[str, str]:
        """What HTTP says beside the message: its version, and for newer ones what it is about."""
        given = message.get("params")
        params: Message = given if isinstance(given, dict) else {}
        meta = params.get("_meta")
        version = meta.get("io.modelcontextprotocol/protocolVersion") if isinstance(meta, dict) else None
        headers = {"Accept": "application/json, text/event-stream"}
        if not isinstance(version, str):
            if self._version and message["method"] != "initialize":
                headers["MCP-Protocol-Version"] = self._version
            return headers
        headers |= {"MCP-Protocol-Version": _field(version), "Mcp-Method": _field(message["method"])}
        name = next((params[key] for key in ("name", "uri", "taskId") if isinstance(params.get(key), str)), None)
        return headers if name is None else {**headers, "Mcp-Name": _field(name)}


def _field(text: str) -> str:
    """The text as a header can hold it, in the form of MCP."""
    encoded = base64.b64encode(text.encode(errors="replace")).decode()
    return text if _PLAIN.fullmatch(text) and not text.startswith("=?") else f"=?base64?{encoded}?="


async def serve(connection: Connection) -> None:
    """Answer what comes on standard input, until it ends."""
    await Bridge(connection, _write).run(_lines())


def _write(message: Message) -> None:
    sys.stdout.buffer.write(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    sys.stdout.buffer.flush()


async def _lines() -> AsyncIterator[bytes]:
    """The lines of standard input. Read by a thread that keeps nobody from leaving: input may be anything, and last."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        while line := sys.stdin.buffer.readline():
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        yield line
