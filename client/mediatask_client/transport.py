"""What the synchronous and the asynchronous client have in common about HTTP."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from .config import Connection
from .errors import MediaTaskError, Unavailable, from_response


def options(connection: Connection, *, with_key: bool = True) -> dict[str, Any]:
    """Arguments of `httpx.Client` and `httpx.AsyncClient`."""
    headers = {"User-Agent": f"mediatask-client/{_version()}"}
    if with_key:
        headers["X-API-Key"] = connection.api_key
    return {
        "base_url": connection.url if with_key else "",
        "headers": headers,
        "timeout": httpx.Timeout(30, connect=5),
        # A proxy of the environment is for the world outside, not for this machine.
        "trust_env": not _loopback(connection.url),
        "follow_redirects": not with_key,
    }


def failure(connection: Connection, outcome: httpx.Response | httpx.TransportError) -> MediaTaskError:
    """The exception for what came of the last try."""
    if isinstance(outcome, httpx.TransportError):
        return unreachable(connection, outcome)
    refused = from_response(outcome)
    if outcome.status_code in (429, 502, 503, 504):
        return Unavailable(f"{refused}\nThe service cannot take this now: try again in a while.")
    return refused


def unreachable(connection: Connection, error: httpx.TransportError) -> Unavailable:
    why = str(error) or type(error).__name__
    return Unavailable(
        f"{connection.url} does not answer ({why}): is the address right, and the service up? "
        "`mediatask up` starts one on this machine."
    )


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version() -> str:
    try:
        return version("mediatask")
    except PackageNotFoundError:
        return "unknown"
