"""The load: a process of its own that sends prepared requests over connections that stay open.

It takes a plan as JSON on its input and gives what it has measured as JSON on its output. It has no HTTP library, so
that nearly all of two cores is left to what is measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

HOST = "127.0.0.1"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """What to send.

    Attributes:
        port: on loopback.
        requests: whole requests, sent in turn.
        clients: each sends its next request when it has the answer to the last one.
        count: requests in all.
        stream: an answer counts when its first event is there, and the connection is given up then.
    """

    port: int
    requests: list[str]
    clients: int
    count: int
    stream: bool = False

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class _Client(asyncio.Protocol):
    """One connection, with one request in flight."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = bytearray()
        self._expected = 0
        """Bytes of the answer; 0 while its head is not there yet."""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._load.requests, None)
        if request is None:
            self._transport.abort()
            self._load.done()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._load.plan.stream:
            start = self._received.find(b"\ndata:")
            if start < 0 or self._received.find(b"\n\n", start) < 0:
                return
        else:
            if not self._expected:
                head = self._received.find(b"\r\n\r\n")
                if head < 0:
                    return
                self._expected = head + 4 + _content_length(bytes(self._received[:head]))
            if len(self._received) < self._expected:
                return
        self._load.answered(time.perf_counter() - self._sent, bytes(self._received[9:12]))
        self._received.clear()
        self._expected = 0
        if self._load.plan.stream:
            self._transport.abort()
            self._load.connect()
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if self._received or error is not None:
            self._load.fail(f"connection lost: {error!r} after {bytes(self._received[:200])!r}")


class _Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = self._in_turn([request.encode() for request in plan.requests])
        self._answers: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._left = plan.clients
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connecting: set[asyncio.Task[Any]] = set()

    def _in_turn(self, requests: list[bytes]) -> Iterator[bytes]:
        for number in range(self.plan.count):
            yield requests[number % len(requests)]

    def connect(self) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: _Client(self), HOST, self.plan.port))
        self._connecting.add(task)
        task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[Any]) -> None:
        self._connecting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.fail(repr(task.exception()))

    def answered(self, seconds: float, status: bytes) -> None:
        self._seconds.append(seconds)
        self._answers[status.decode(errors="replace")] += 1

    def done(self) -> None:
        self._left -= 1
        if not self._left and not self._end.done():
            self._end.set_result(None)

    def fail(self, why: str) -> None:
        if not self._end.done():
            self._end.set_exception(RuntimeError(why))

    async def run(self) -> dict[str, Any]:
        gc.disable()
        began = time.perf_counter()
        for _ in range(self.plan.clients):
            self.connect()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._end
        return {"seconds": time.perf_counter() - began, "latencies": self._seconds, "answers": self._answers}


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise RuntimeError(f"an answer without its length: {head[:200]!r}")


async def _main() -> None:
    json.dump(await _Load(Plan(**json.load(sys.stdin))).run(), sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main())
