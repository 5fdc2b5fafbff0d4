"""Bodies while they arrive: bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Request

from mediatask_api.http.body import read, steady
from mediatask_api.http.errors import ApiError


def a_request(*chunks: bytes, ends: bool = True, **headers: str) -> Request:
    """A request whose body is these chunks, and then ends or never does."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": named}, receive)


async def test_a_body_of_the_limit_is_read_whole() -> None:
    assert await read(a_request(b"abc", b"de"), limit=5) == b"abcde"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (lambda: read(a_request(b"abc", b"def"), limit=5), 413),
        (lambda: read(a_request(ends=False, content_length="6"), limit=5), 413),
        (lambda: read(a_request(ends=False, content_length="9" * 5000), limit=5), 413),
        (lambda: read(a_request(b"{", ends=False), seconds=0.05), 408),
        (lambda: read(a_request(ends=False), seconds=0.05), 408),
    ],
    ids=["too long", "announced", "announced absurdly", "half", "none"],
)
async def test_a_body_that_is_too_long_or_too_slow_ends_its_connection(
    wanted: Callable[[], Awaitable[bytes]], status: int
) -> None:
    with pytest.raises(ApiError) as refused:
        await asyncio.wait_for(wanted(), 10)
    assert refused.value.status == status
    assert refused.value.headers["Connection"] == "close"


async def test_an_upload_may_take_long_but_not_pause() -> None:
    chunks = [chunk async for chunk in steady(a_request(b"a", b"b").stream(), seconds=5)]
    assert b"".join(chunks) == b"ab"
    with pytest.raises(ApiError) as refused:
        async for _ in steady(a_request(b"a", ends=False).stream(), seconds=0.05):
            pass
    assert refused.value.status == 408
