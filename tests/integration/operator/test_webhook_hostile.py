"""Callback URLs that try to reach what they may not: nothing forbidden is ever connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from support.receivers import completed, deliverer, first_try, raw_receiver, receiver, try_once

ALLOWED = ["127.0.0.7/32"]
"""One address of the loopback net: a receiver that may be called."""


@dataclass
class Listener:
    """Listens on every address of this machine, and counts who comes."""

    port: int
    connections: int = 0


@pytest.fixture
async def forbidden() -> AsyncIterator[Listener]:
    found = Listener(0)

    async def count(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        found.connections += 1

    async with raw_receiver(count, "0.0.0.0") as port, raw_receiver(count, "::1", port):
        found.port = port
        yield found


def own_addresses() -> list[str]:
    """An address of this machine besides loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        return [probe.getsockname()[0]]


HOSTS = [
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "127.0.0.6", "127.0.0.8", "127.000.000.001"),
    *("0177.0.0.1", "0177.1", "0x7f.0.0.1", "0x7f.1", "0x7F000001", "0x7f.0x0.0x0.0x1", "017700000001", "2130706433"),
    *("00000177.0.0.1", "0x000007f.1", "127.0.0x0.01", "4294967297", "0", "0.0.0.0", "0x0", "00", "0.0", "0.0.0.0."),
    *("localhost", "LOCALHOST", "LocalHost", "localhost.", "ip6-localhost", "localhost.localdomain", "%6cocalhost"),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[0000::1]", "[::]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25lo]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::FFFF:127.0.0.1]", "[::127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001::7f00:1]"),
    *("[::ffff:0:127.0.0.1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[100::1]", "[3fff::1]"),
    *(
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "127．0．0．1",
        "ｌｏｃａｌｈｏｓｔ",
        "loc\u00adalhost",
        "lo\u200bcalhost",
    ),
    *("[::ffff:127.0.0.7%25lo]", "[::7f00:7]", "127.0.0.7.nip.invalid", "*", "-", "_", "..", "[", "[]", "[::1", "]"),
]
NOT_PUBLIC = [
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
]
FORMS = [
    "http://example.invalid@127.0.0.1:{port}/",
    "http://127.0.0.7@127.0.0.1:{port}/",
    "http://127.0.0.7:{port}@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@127.0.0.7:{port}/",
    "http://127.0.0.7\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@127.0.0.7/",
    "http://127.0.0.1:{port}?@127.0.0.7/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:////127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1\0.example:{port}/",
    "http://127.0.0.1%00.example:{port}/",
    "http://127.0.0.1%2f@127.0.0.7:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "file:///etc/hostname",
    "unix:///var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "javascript:fetch('http://127.0.0.1:{port}')",
    "data:text/plain,x",
    "HTTP://127.0.0.1:{port}/",
    "hTTps://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://127.0.0.1:0{port}/",
    "http://127.0.0.1:+{port}/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:99999999999999999999/",
    "http://127.0.0.1:٨٠/",
    "http://127.0.0.1:/",
    "http://",
    "http://:{port}",
    "",
]


@pytest.mark.parametrize("host", HOSTS + own_addresses(), ids=lambda host: ascii(host))
async def test_no_spelling_of_this_machine_is_connected_to(forbidden: Listener, host: str) -> None:
    delivery = await try_once(completed(f"http://{host}:{forbidden.port}/"), networks=ALLOWED, timeout=20)
    assert not delivery.ok
    assert forbidden.connections == 0


@pytest.mark.parametrize("form", FORMS, ids=lambda form: ascii(form))
async def test_no_form_of_a_url_confuses_what_is_checked_and_what_is_called(forbidden: Listener, form: str) -> None:
    task = completed("http://example.invalid/")
    assert task.spec.callback is not None
    task.spec.callback.url = form.format(port=forbidden.port)  # also what the resource's own pattern would refuse
    delivery = await try_once(task, networks=ALLOWED, timeout=20)
    assert not delivery.ok
    assert forbidden.connections == 0


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_no_special_address_is_called(address: str) -> None:
    delivery = await try_once(completed(f"http://{address}/"), networks=ALLOWED)
    assert "not a public address" in delivery.error
    assert not delivery.permanent


async def test_a_receiver_that_may_be_called_leads_nowhere_else(forbidden: Listener) -> None:
    """By redirects, refreshes and alternative services."""
    paths: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        paths.append(request.path)
        place = f"http://127.0.0.1:{forbidden.port}/"
        headers = {"Location": place, "Refresh": f"0; url={place}", "Alt-Svc": f'h2="127.0.0.1:{forbidden.port}"'}
        return web.Response(status=int(request.path[1:]), headers={**headers, "Content-Location": place})

    async with receiver(elsewhere, "127.0.0.7") as port:
        for status in (200, 201, 300, 301, 302, 303, 305, 307, 308, 401, 407, 421):
            task = completed(f"http://127.0.0.7:{port}/{status}")
            delivery = await try_once(task, networks=ALLOWED)
            assert (delivery.ok, delivery.status_code) == (status < 300, status)
    assert len(paths) == 12
    assert forbidden.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
async def test_no_proxy_of_the_environment_is_used(
    forbidden: Listener, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{forbidden.port}")
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    hosts: list[str] = []

    async def accept(request: web.Request) -> web.Response:
        hosts.append(request.host)
        return web.Response()

    async with receiver(accept, "127.0.0.7") as port:
        assert (await try_once(completed(f"http://127.0.0.7:{port}/"), networks=ALLOWED)).ok
    await try_once(completed("https://127.0.0.7:9/"), networks=ALLOWED)
    assert hosts == [f"127.0.0.7:{port}"]
    assert forbidden.connections == 0


async def test_a_name_that_changes_its_mind_gains_nothing(forbidden: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question gets another answer, in every order of allowed and forbidden, for names and for spellings."""
    asked = 0
    answers = [["127.0.0.7"], ["127.0.0.1"], ["127.0.0.7", "127.0.0.1"], ["127.0.0.1", "127.0.0.7"], ["::1"]]

    def getaddrinfo(host: object, port: int, *_: object, **__: object) -> list[object]:
        nonlocal asked
        asked += 1
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answers[asked % len(answers)]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    effect, calls = deliverer(networks=ALLOWED), 1000
    outcomes = []
    for _ in range(calls):
        task = completed(f"http://rebinding.example:{forbidden.port}/")
        delivery = await effect.run(task, first_try(task))
        assert delivery is not None
        outcomes.append(delivery)
    assert asked == calls, "each try asks once"
    assert forbidden.connections == calls / len(answers), "only where every answer was allowed, and there"
    assert not any(delivery.ok for delivery in outcomes)
