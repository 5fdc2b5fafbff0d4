"""Webhooks over real loopback receivers, verified by the official library."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import ssl
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from mediatask_common.netguard import Target
from mediatask_operator.effects.keys import WebhookKeys
from mediatask_operator.effects.post import post
from mediatask_operator.metrics import Metrics
from support.receivers import (
    MEDIA_URL,
    Handler,
    completed,
    deliverer,
    first_try,
    raw_receiver,
    receiver,
    request_of,
    try_once,
)

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, so").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"another one of thirty-two bytes!").decode()
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def url_of(port: int, host: str = "localhost") -> str:
    return f"http://{host}:{port}/hook"


def taking(calls: list[str]) -> Handler:
    """A receiver's answer to everything, which notes the paths."""

    async def accept(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.Response()

    return accept


@pytest.fixture
def keys(tmp_path: Path) -> WebhookKeys:
    secrets, api_key = tmp_path / "secrets", tmp_path / "key"
    secrets.write_text(f"{SECRET}\n{OLD_SECRET}\n")
    api_key.write_text("receiver-key\n")
    return WebhookKeys(secrets, api_key, ["localhost"], Metrics().key_file_damaged)


async def test_the_message_verifies_with_each_secret_and_has_the_agreed_body(keys: WebhookKeys) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def accept(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async with receiver(accept) as port:
        task = completed(url_of(port), metadata={"userId": "u1"})
        delivery = await try_once(task, keys=keys)
    assert (delivery.ok, delivery.status_code) == (True, 204)
    headers, content = got[0]
    lowered = {name.lower(): value for name, value in headers.items()}
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(content, lowered)
    assert task.status.callback is not None
    assert (lowered["webhook-id"], lowered["x-api-key"]) == (task.status.callback.id, "receiver-key")
    assert lowered["host"] == f"localhost:{port}"
    assert json.loads(content) == {
        "type": "task.completed",
        "timestamp": "2026-11-21T10:00:00Z",
        "task_id": "scene-1",
        "status": "completed",
        "project_id": "p1",
        "result": {"media_url": MEDIA_URL, "payload_media_id": None, "metadata": {"width": 64, "seed": 7}},
        "error": None,
        "metadata": {"userId": "u1"},
    }


async def test_tries_are_counted_by_how_they_ended() -> None:
    statuses, metrics = iter((204, 500, 500)), Metrics()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses))

    async with receiver(answer) as port:
        for _ in range(3):
            await try_once(completed(url_of(port)), metrics=metrics)
    counted = [
        metrics.registry.get_sample_value("mediatask_webhook_attempts_total", {"outcome": outcome})
        for outcome in ("delivered", "failed")
    ]
    assert counted == [1, 2]


async def test_a_receiver_that_is_not_on_the_list_gets_no_api_key(keys: WebhookKeys) -> None:
    got: list[web.Request] = []

    async def accept(request: web.Request) -> web.Response:
        got.append(request)
        return web.Response()

    async with receiver(accept) as port:
        assert (await try_once(completed(url_of(port, "127.0.0.1")), keys=keys)).ok
    assert "x-api-key" not in got[0].headers
    assert "webhook-signature" in got[0].headers


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 400, 404, 500])
async def test_only_2xx_is_success_and_redirects_are_not_followed(status: int) -> None:
    paths: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with receiver(refuse) as port:
        delivery = await try_once(completed(url_of(port)))
    assert (delivery.ok, delivery.status_code, delivery.permanent) == (False, status, False)
    assert paths == ["/hook"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Fri, 21 Nov 2025 10:00:00 GMT", 0.0),
        ("soon", None),
        ("99999999999999999999", 7 * 24 * 3600.0),
        ("9" * 5000, 7 * 24 * 3600.0),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_retry_after_is_read(header: str, seconds: float | None) -> None:
    async def later(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    async with receiver(later) as port:
        assert (await try_once(completed(url_of(port)))).retry_after == seconds


async def test_410_is_permanent() -> None:
    async def gone(_: web.Request) -> web.Response:
        return web.Response(status=410)

    async with receiver(gone) as port:
        assert (await try_once(completed(url_of(port)))).permanent


async def test_a_url_that_is_none_is_not_tried_again() -> None:
    delivery = await try_once(completed("http://user:secret@localhost/hook"))
    assert (delivery.ok, delivery.permanent) == (False, True)


async def test_a_receiver_in_a_denied_network_is_not_called() -> None:
    calls: list[str] = []
    async with receiver(taking(calls)) as port:
        assert not (await try_once(completed(url_of(port)), denied=["127.0.0.0/8"])).ok
    assert not calls


async def test_a_webhook_that_another_has_followed_is_not_sent() -> None:
    calls: list[str] = []
    async with receiver(taking(calls)) as port:
        task = completed(url_of(port))
        action = first_try(task)
        assert task.status.callback is not None
        task.status.callback.id = "a newer one"
        assert await deliverer().run(task, action) is None
    assert calls == []


async def test_a_receiver_that_does_not_answer() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_receiver(hang) as port:
        delivery = await try_once(completed(url_of(port)), timeout=0.2)
    assert (delivery.ok, delivery.permanent) == (False, False)
    assert delivery.error == "no answer within 0.2 s"


async def test_nobody_listens() -> None:
    delivery = await try_once(completed("http://127.0.0.1:9/hook"))
    assert (delivery.ok, delivery.permanent) == (False, False)


# ---- what comes back is bounded


async def flood(writer: asyncio.StreamWriter, chunk: bytes, most: int) -> int:
    """Send until the caller hangs up; how many bytes that took."""
    sent = 0
    try:
        while sent < most:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)
    except OSError:
        pass
    return sent


async def test_an_endless_body_is_neither_read_nor_waited_for() -> None:
    sent: asyncio.Queue[int] = asyncio.Queue()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n")
        sent.put_nowait(await flood(writer, b"x" * 65536, 2**32))

    async with raw_receiver(endless) as port:
        tracemalloc.start()
        delivery = await try_once(completed(url_of(port)), timeout=30)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert delivery.ok
        assert await sent.get() < 32 * 1024**2  # what the kernel's buffers hold
    assert peak < 4 * 1024**2


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 * 1024**2), 9)

    async def explode(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)
        await writer.drain()
        await reader.read()

    async with raw_receiver(explode) as port:
        task = completed(url_of(port))
        tracemalloc.start()
        delivery = await try_once(task)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert delivery.ok
    assert peak < 4 * 1024**2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: x\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Header: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xfe\x00\r\n\r\n",
        b"HTTP/1.1 999999999999999999999999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 \xc3\x28 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xff\xfe\x1b[31m\r\nContent-Length: -5\r\n\r\n",
        b"",
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_an_answer_that_is_none_is_a_failure_that_can_be_told(answer: bytes) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with raw_receiver(odd) as port:
        delivery = await try_once(completed(url_of(port)))
    assert (delivery.ok, delivery.permanent) == (False, False)
    assert 0 < len(delivery.error) <= 1000
    assert delivery.error.isprintable()
    delivery.error.encode()


@pytest.mark.parametrize("drop", [b"X", b"HTTP/1.1 100 Continue\r\n\r\n", b"X-Header: x\r\n"])
async def test_drops_do_not_prolong_a_try(drop: bytes) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        if drop.startswith(b"X"):
            writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_receiver(drip) as port:
        started = asyncio.get_running_loop().time()
        delivery = await try_once(completed(url_of(port)), timeout=0.5)
        took = asyncio.get_running_loop().time() - started
    assert not delivery.ok
    assert took < 5


# ---- where the connection goes


async def test_every_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first refuses, the second lets nobody in; the third answers."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(NO_CONTENT)
        await writer.drain()

    full = socket.socket()
    full.bind(("127.0.0.2", 0))
    full.listen(0)
    port = full.getsockname()[1]
    filling = [socket.socket() for _ in range(4)]
    for connection in filling:
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.2", port))
    answer_as(monkeypatch, ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
    try:
        async with raw_receiver(accept, "127.0.0.3", port):
            delivery = await try_once(completed(f"http://receiver.example:{port}/"), timeout=30)
    finally:
        for connection in (full, *filling):
            connection.close()
    assert delivery.ok


def answer_as(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Let names mean these addresses: the next list with each question, the last one from then on."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def test_a_name_is_asked_for_once_and_sent_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[str] = []

    async def accept(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response()

    async with receiver(accept) as port:
        answer_as(monkeypatch, ["127.0.0.1"], ["127.0.0.9"])
        assert (await try_once(completed(f"http://receiver.example:{port}/"), networks=["127.0.0.1/32"])).ok
        answer_as(monkeypatch, ["127.0.0.1"])
        assert (await try_once(completed(f"http://B\u00fccher.example:{port}/a?b=%20#c"))).ok
    assert hosts == [f"receiver.example:{port}", f"xn--bcher-kva.example:{port}"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for receiver.example, with its key, in one file."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=receiver.example"]
    names = ["-addext", "subjectAltName=DNS:receiver.example", "-keyout", "pair.pem", "-out", "cert.pem"]
    subprocess.run([*made, *names], cwd=tmp_path, check=True, capture_output=True)
    pair = tmp_path / "pair.pem"
    pair.write_text(pair.read_text() + (tmp_path / "cert.pem").read_text())
    return pair


async def test_a_receiver_may_have_an_ipv6_address_alone() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await request_of(reader)
        writer.write(NO_CONTENT if f"Host: [::1]:{port}".encode() in request else b"")
        await writer.drain()

    async with raw_receiver(accept, "::1") as port:
        assert (await try_once(completed(f"http://[::1]:{port}/"))).ok


async def test_certificates_are_checked_for_the_name_in_the_url(certificate: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    hosts: list[str] = []

    async def accept(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response()

    async with receiver(accept, ssl_context=server) as port:
        right = Target("https", "receiver.example", port, ("127.0.0.1",), "/")
        assert (await post(right, b"{}", {}, client)).status == 200
        for target, tls in (
            (Target("https", "other.example", port, ("127.0.0.1",), "/"), client),
            (Target("https", "127.0.0.1", port, ("127.0.0.1",), "/"), client),
            (right, True),
        ):
            with pytest.raises(OSError, match="certificate"):
                await post(target, b"{}", {}, tls)
    assert hosts == [f"receiver.example:{port}"]
