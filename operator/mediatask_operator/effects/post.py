"""One POST to an address that was checked, with a bound on everything that comes back.

The receiver is a stranger: it may answer late, drop by drop, with gigabytes or with nonsense, and its name may mean
another address by now. The connection goes to the checked addresses and to no other, whatever the URL spells.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mediatask_common.netguard import Target

MOST_HEADERS = 64
HEADER_LIMIT = 8190
"""Bytes of one header of an answer, and of its status line."""
BUFFER = 16 * 1024
"""Bytes of an answer's body that may arrive before anybody reads it."""
LONGEST_WAIT_SECONDS = 7 * 24 * 3600.0
"""Whatever is asked for beyond it says no more than a long time."""
_PASSING = (408, 423, 425, 429)
"""Refusals that time alone may take away."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
# aiohttp asks no resolver about a host that is an address, in some spellings. This one is none in any.
_CHECKED = "checked.invalid"


def plain(text: str, limit: int, secret: str | None = None) -> str:
    """An error as it may stand in a status, of so many characters at most: it may quote bytes of anybody, and must not
    quote the secret."""
    if secret:
        text = text[: 2 * limit].replace(secret, "…")
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:limit])


def is_refusal(status: int) -> bool:
    """Whether a service will answer with this status again until somebody changes something."""
    return 300 <= status < 500 and status not in _PASSING


def guarded_session(**options: Any) -> aiohttp.ClientSession:
    """A session that knows no proxy and no cookie, unpacks nothing, and bounds the heads of answers."""
    return aiohttp.ClientSession(
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=HEADER_LIMIT,
        max_field_size=HEADER_LIMIT,
        max_headers=MOST_HEADERS,
        **options,
    )


@dataclass(frozen=True)
class Answer:
    """What there is to know of a receiver's answer."""

    status: int
    retry_after: str | None
    """The header as it was sent."""
    body: bytes | None = None
    """What was read of it; None where it was not to be read, or is longer than was wanted."""


async def post(
    target: Target,
    content: bytes,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | bool = True,
    read: int = 0,
) -> Answer:
    """POST to a checked destination: no proxy, no redirect, no cookie.

    The target's addresses are tried in order, each with a head start of a quarter of a second on the next. There is
    no limit of time: the caller sets one.

    Args:
        read: bytes of the answer's body that may be read; 0: it is not.
        tls: how certificates are checked, by the target's host name; True: by the system's authorities.

    Raises:
        aiohttp.ClientError, OSError: no connection, or what came back is no answer.
    """
    connector = aiohttp.TCPConnector(resolver=_Checked(target), use_dns_cache=False, force_close=True, ssl=tls)
    async with (
        guarded_session(connector=connector, timeout=aiohttp.ClientTimeout(total=None), read_bufsize=BUFFER) as session,
        session.post(
            URL(f"{target.scheme}://{_CHECKED}:{target.port}{target.path}"),
            data=content,
            headers={"Host": _authority(target), **headers},
            server_hostname=_ascii(target.host) if target.scheme == "https" else None,
            allow_redirects=False,
        ) as response,
    ):
        body = await _read(response, read) if read else None
        return Answer(response.status, response.headers.get("Retry-After"), body)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header, 0 to `LONGEST_WAIT_SECONDS`; None where it says nothing."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
            seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else _ascii(target.host)
    return host if target.port == _DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _ascii(host: str) -> str:
    return host.encode("idna").decode()


class _Checked(AbstractResolver):
    """Answers every name with the addresses that were checked."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self._target.addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""
