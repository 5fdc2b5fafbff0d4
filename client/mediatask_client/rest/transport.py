"""What the synchronous and the asynchronous client have in common about HTTP."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any

import httpx

from ..errors import NotConfigured


def options(url: str) -> dict[str, Any]:
    """Arguments of the `httpx.Client` or `httpx.AsyncClient` for a service, where the caller gives none.

    Raises:
        NotConfigured: the address is one that cannot be connected to.
    """
    return {
        "headers": {"User-Agent": f"mediatask-client/{_version()}"},
        "timeout": httpx.Timeout(30, connect=5),
        # A proxy of the environment is for the world outside, not for this machine.
        "trust_env": not _loopback(_host(url)),
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
