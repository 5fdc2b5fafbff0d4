"""The client of the API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from mediatask_common.kube import BUSY_REPEATS, TASKS, Kube, KubeError
from support.kubeconfig import without_credentials
from support.rest_service import Answer, Service

LIST = "/apis/tasks.ft.tc/v1alpha1/namespaces/media/mediatasks"
BUSY = Answer(
    429,
    {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "storage is (re)initializing"},
    {"Retry-After": "0"},
)


@pytest.fixture
def server() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
async def kube(server: Service, tmp_path: Path) -> AsyncIterator[Kube]:
    async with client_of(server.url, tmp_path) as client:
        yield client


@contextlib.asynccontextmanager
async def client_of(url: str, tmp_path: Path) -> AsyncIterator[Kube]:
    async with await Kube.connect(without_credentials(url, tmp_path)) as client:
        yield client


async def test_a_busy_server_is_asked_again_when_it_says(server: Service, kube: Kube) -> None:
    server.on("POST", LIST, BUSY, BUSY, Answer(201, {"metadata": {"name": "a"}}))
    created = await kube.create(TASKS, {"metadata": {"name": "a"}}, "media")
    assert created["metadata"]["name"] == "a"
    assert len(server.asked("POST", LIST)) == 3


async def test_a_server_that_stays_busy_is_left_alone_in_the_end(server: Service, kube: Kube) -> None:
    server.on("GET", LIST, BUSY)
    with pytest.raises(KubeError, match="initializing") as caught:
        await kube.list(TASKS, "media")
    assert caught.value.unavailable
    assert len(server.asked("GET", LIST)) == BUSY_REPEATS + 1


async def test_nothing_else_is_sent_twice(server: Service, kube: Kube) -> None:
    server.on("POST", LIST, Answer(503, {"reason": "ServiceUnavailable"}, {"Retry-After": "0"}))
    with pytest.raises(KubeError):
        await kube.create(TASKS, {"metadata": {"name": "a"}}, "media")
    assert len(server.asked("POST", LIST)) == 1


# ---- answers that are none


@pytest.mark.parametrize(
    "body", [b"<html>Sign in to continue</html>", b"", b'{"kind": "MediaTaskLi', b"[]", b"null", b'"ok"']
)
async def test_a_success_that_is_no_object_is_an_error_worth_another_try(
    server: Service, kube: Kube, body: bytes
) -> None:
    server.on("GET", LIST, Answer(200, body))
    with pytest.raises(KubeError, match=f"GET {LIST}: not") as caught:
        await kube.list(TASKS, "media")
    assert caught.value.unavailable


@pytest.mark.parametrize(
    "last", [b'{"type": "MODIFIED", "obj', b"<html>", b"{}\n", b'{"type": "ADDED", "object": 1}\n']
)
async def test_a_watch_that_is_cut_off_within_an_event_is_an_error_after_the_whole_ones(
    server: Service, kube: Kube, last: bytes
) -> None:
    whole = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}
    server.on("GET", LIST, Answer(200, orjson.dumps(whole) + b"\n" + last))
    events = kube.watch(TASKS, "media", "1")
    assert await anext(events) == ("ADDED", whole["object"])
    with pytest.raises(KubeError, match="watch of mediatasks: not") as caught:
        await anext(events)
    assert caught.value.unavailable


async def test_an_endless_line_is_an_error(server: Service, kube: Kube) -> None:
    server.on("GET", LIST, Answer(200, b"x" * (9 * 2**20)))
    with pytest.raises(KubeError, match="more than 8388608 bytes"):
        await anext(kube.watch(TASKS, "media", "1"))


# ---- streams


async def test_no_number_of_streams_keeps_a_request_waiting(tmp_path: Path) -> None:
    """A server that holds every stream open, and more followers than there are connections for requests."""
    followers, following = 200, 0
    all_follow, end = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal following
        head = await reader.readuntil(b"\r\n\r\n")
        if b"follow=true" not in head:
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"items":[]}')
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nline\n")
            following += 1
            if following == followers:
                all_follow.set()
            await end.wait()
        await writer.drain()
        writer.close()

    async def follow(kube: Kube) -> list[bytes]:
        return [line async for line in kube.stream("/log", params={"follow": "true"})]

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with client_of(f"http://127.0.0.1:{port}", tmp_path) as kube, asyncio.TaskGroup() as group:
            streams = [group.create_task(follow(kube)) for _ in range(followers)]
            await asyncio.wait_for(all_follow.wait(), 60)
            assert await asyncio.wait_for(kube.list(TASKS, "media"), 9) == {"items": []}
            end.set()
        assert {tuple(stream.result()) for stream in streams} == {(b"line\n",)}
