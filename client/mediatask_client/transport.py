"""What the synchronous and the asynchronous client have in common about HTTP."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any

import httpx

from .config import Connection
from .errors import NotConfigured


def options(connection: Connection, *, with_key: bool = True) -> dict[str, Any]:
    """Arguments of `httpx.Client` and `httpx.AsyncClient`.

    Raises:
        NotConfigured: the address is one that cannot be connected to.
    """
    headers = {"User-Agent": f"mediatask-client/{_version()}"}
    if with_key:
        headers["X-API-Key"] = connection.api_key
    return {
        "base_url": connection.url if with_key else "",
        "headers": headers,
        "timeout": httpx.Timeout(30, connect=5),
        # A proxy of the environment is for the world outside, not for this machine.
        "trust_env": not _loopback(_host(connection.url)),
        "follow_redirects": not with_key,
    }


def _host(url: str) -> str:
    try:
        host = httpx.URL(url).raw_host.decode()
        host.encode("idna")  # as the resolver does, whose error httpx does not expect
    except httpx.InvalidURL as error:
        raise NotConfigured(f"{url} is no address: {error}") from error
    except UnicodeError as error:
        raise NotConfigured(f"{url} is no address: a part of its host is empty or too long") from error
    return host


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version() -> str:
    try:
        return version("mediatask")
    except PackageNotFoundError:
        return "unknown"
