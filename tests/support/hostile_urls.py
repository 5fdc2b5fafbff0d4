"""URLs that try to reach what outside URLs may not, and an observer of every connection that comes of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

ALLOWED = "127.0.0.7"
"""The one address that may be connected to: it plays the public internet."""

SPELLINGS = [
    *("127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "127.0.0.6", "127.0.0.8", "127.000.000.001"),
    *("0177.0.0.1", "0177.1", "0x7f.0.0.1", "0x7f.1", "0x7F000001", "0x7f.0x0.0x0.0x1", "017700000001", "2130706433"),
    *("00000177.0.0.1", "0x000007f.1", "127.0.0x0.01", "4294967297", "0", "0.0.0.0", "0x0", "00", "0.0", "0.0.0.0."),
    *("localhost", "LOCALHOST", "LocalHost", "localhost.", "ip6-localhost", "localhost.localdomain", "%6cocalhost"),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]", "[0000::1]", "[::]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25lo]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::FFFF:127.0.0.1]", "[::127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001::7f00:1]"),
    *("[::ffff:0:127.0.0.1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[100::1]", "[3fff::1]"),
    *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1"),
    *("ｌｏｃａｌｈｏｓｔ", "loc\u00adalhost", "lo\u200bcalhost", "l\u043ecalhost", "\U0001d4c1\u2134\U0001d4b8alhost"),
    *(
        "[::7f00:7]",
        "127.0.0.7.nip.example",
        "*",
        "-",
        "_",
        "..",
        "[",
        "[]",
        "[::1",
        "]",
        "a..b",
        "x" * 64 + ".example",
    ),
]
NAMES = [
    *("metadata", "metadata.google.internal", "metadata.google.internal.", "METADATA.GOOGLE.INTERNAL"),
    *("instance-data", "instance-data.ec2.internal", "169.254.169.254.nip.example", "rancher-metadata"),
    *("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "redis"),
    *("kubernetes.default.svc.cluster.local.", "KUBERNETES.DEFAULT.SVC", "mediatask-api.media.svc"),
    *("host.docker.internal", "host.containers.internal", "gateway.docker.internal"),
    *("kubernetes.default.\u0455vc", "kubernetes\u3002default\uff0esvc"),
    *("app.localhost", "a.b.localhost.", "localtest.me", "lvh.me", "router.local", "intranet", "db.internal"),
]
"""Names whose address is the attacker's, or the cluster's, to say."""

SPECIAL = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.96.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.0.0.53"),
    *("168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.8"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:168.63.129.16"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1"),
    *("2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd00::1"),
    *("fe80::1", "fec0::1", "ff02::1", "ff0e::1"),
]
"""Addresses that nobody outside has."""

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
    "http://127.0.0.1\r\nHost: x:{port}/",
    "http://127.0.0.1\0.example:{port}/",
    "http://127.0.0.1%00.example:{port}/",
    "http://127.0.0.1%2f@127.0.0.7:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.7%40127.0.0.1:{port}/",
    "http://127.0.0.7,127.0.0.1:{port}/",
    "http://127.0.0.1;127.0.0.7:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://[::1]@127.0.0.7:{port}/",
    "http://[v1.127.0.0.1]:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "dict://127.0.0.1:{port}/info",
    "ws://127.0.0.1:{port}/",
    "file:///etc/hostname",
    "file://127.0.0.1/etc/hostname",
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
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:99999999999999999999/",
    "http://127.0.0.1:٨٠/",
    "http://127.0.0.1:/",
    "http://127.0.0.1/",
    *(f"http://127.0.0.1:{port}/" for port in (22, 25, 443, 2375, 2379, 6379, 6443, 8001, 8002, 9090, 10250)),
    "http://",
    "http://:{port}",
    "",
]
"""URLs with `{port}`."""


@dataclass
class Observer:
    """What a hostile URL came to."""

    port: int = 0
    """Somebody listens there on every address of this machine."""
    allowed: int = 0
    """Connections that reached the one who may be called."""
    forbidden: list[tuple[str, int]] = field(default_factory=list)
    """Attempts to connect elsewhere, and connections that came."""
    location: str = ""
    """Where the one who may be called redirects to; it answers with 200 while there is nothing."""
    names: Callable[[str], list[str]] = lambda name: ["127.0.0.1"]
    """The resolver, which is the attacker's."""
    questions: int = 0

    def urls(self) -> Iterator[str]:
        """All of them, and the resolver that each needs."""
        self.names = lambda name: ["127.0.0.1"]
        yield from (f"http://{host}:{self.port}/" for host in (*SPELLINGS, *own_addresses(), *NAMES))
        yield from (form.replace("{port}", str(self.port)) for form in FORMS)
        yield from (f"http://{address if ':' not in address else f'[{address}]'}:{self.port}/" for address in SPECIAL)
        for address in SPECIAL:
            self.names = lambda name, address=address: [address]
            yield f"http://named.example:{self.port}/"
            self.names = lambda name, address=address: [ALLOWED, address]
            yield f"http://mixed.example:{self.port}/"


def own_addresses() -> list[str]:
    """An address of this machine besides loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        return [probe.getsockname()[0]]


@asynccontextmanager
async def observer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Observer]:
    """Listeners on every address, a resolver that the test answers for, and a look at every socket that connects."""
    seen = Observer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = writer.get_extra_info("sockname")[0].removeprefix("::ffff:")
        if here != ALLOWED:
            seen.forbidden.append((here, seen.port))
            return writer.close()
        seen.allowed += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            head = f"302 Found\r\nLocation: {seen.location}" if seen.location else "200 OK"
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode("utf-8", "surrogateescape"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    real_connect, real_getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if (
            self.family in (socket.AF_INET, socket.AF_INET6)
            and self.type == socket.SOCK_STREAM
            and address[:2] != (ALLOWED, seen.port)
        ):
            seen.forbidden.append(address[:2])
        real_connect(self, address)

    def getaddrinfo(host: Any, port: Any, *wanted: Any, **named: Any) -> Any:
        if host is not None:
            try:
                return real_getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            except OSError:
                seen.questions += 1
                return [
                    found
                    for address in seen.names(str(host))
                    for found in real_getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
                ]
        return real_getaddrinfo(host, port, *wanted, **named)

    everywhere = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    seen.port = everywhere.getsockname()[1]
    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", connect)
        patched.setattr(socket, "getaddrinfo", getaddrinfo)
        async with await asyncio.start_server(serve, sock=everywhere):
            yield seen
