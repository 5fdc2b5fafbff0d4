"""Address and credential of the service: arguments, then environment, then a local mode that runs here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from .errors import NotConfigured

ENV_URL = "MEDIATASK_URL"
"""Address of the service; that of the local mode which runs here when absent."""
ENV_API_KEY = "MEDIATASK_API_KEY"
"""Secret. API key; takes precedence over a token."""
ENV_TOKEN = "MEDIATASK_TOKEN"
"""Secret. Bearer token; takes precedence over a file with one."""
ENV_TOKEN_FILE = "MEDIATASK_TOKEN_FILE"
"""File with a bearer token, read anew for each request."""
ENV_DIR = "MEDIATASK_DIR"
"""State folder of the local mode; `.mediatask` when absent."""
ENV_PROJECT = "MEDIATASK_PROJECT"
"""Project of requests that name none; `default` when absent."""
DEFAULT_DIR = Path(".mediatask")
DEFAULT_PROJECT = "default"

Token = str | PathLike[str] | Callable[[], str]
"""A bearer token: itself, the file that holds it (read anew for each request), or a function that gives it."""
AsyncToken = Token | Callable[[], Awaitable[str]]
"""The same, or a coroutine function."""

StoreKind = Literal["file", "s3"]
"""Where the local mode keeps media."""


@dataclass(frozen=True)
class Connection:
    """A service and the credential for it: a key or a token."""

    url: str
    """Address without the `/api/v1` part."""
    api_key: str | None = field(default=None, repr=False)
    token: AsyncToken | None = field(default=None, repr=False)


def resolve(
    url: str | None = None,
    api_key: str | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    token: AsyncToken | None = None,
) -> Connection:
    """The connection to use; address and credential each from the first place that names one.

    The local mode's key is only ever sent to the local mode's address. No message shows a key or token.

    Args:
        folder: state folder of `mediatask up`; `MEDIATASK_DIR`, else `.mediatask` in the working directory.

    Raises:
        NotConfigured: an address or a credential is missing, is none, or there are two.
    """
    if api_key and token:
        raise NotConfigured("both an API key and a token are given: leave one out")
    if not (api_key or token):
        api_key, token = _of_environment(environ)
    folder = folder or Path(environ.get(ENV_DIR) or DEFAULT_DIR)
    url = url or environ.get(ENV_URL)
    local = None if url and (api_key or token) else _local(folder / "up.json")
    if url:
        base = _base(url)
    elif local:
        base = local.url
    else:
        raise NotConfigured(
            f"no service address: set {ENV_URL} and {ENV_API_KEY}, or start one here with `mediatask up` "
            f"(looked for {folder / 'up.json'})"
        )
    if token:
        return Connection(base, token=printable(token, "token") if isinstance(token, str) else token)
    if not api_key and local and local.url == base:
        api_key = local.api_key
    if not api_key:
        raise NotConfigured(
            f"no API key for {base}: set {ENV_API_KEY} or give --api-key, or set {ENV_TOKEN} or {ENV_TOKEN_FILE}"
        )
    return Connection(base, printable(api_key, "API key"))


def project(environ: Mapping[str, str] = os.environ) -> str:
    """The project of a request that names none."""
    return environ.get(ENV_PROJECT) or DEFAULT_PROJECT


def printable(text: str, what: str) -> str:
    """A credential without white space around it. Raises NotConfigured, without showing it."""
    stripped = text.strip()
    if not re.fullmatch(r"[!-~]+", stripped):
        raise NotConfigured(
            f"the {what} is empty or holds a space, a line break or a character that is not ASCII, which none does: "
            "check where it comes from"
        )
    return stripped


def _of_environment(environ: Mapping[str, str]) -> tuple[str | None, Token | None]:
    """API key, or token."""
    if key := environ.get(ENV_API_KEY):
        return key, None
    if token := environ.get(ENV_TOKEN):
        return None, token
    file = environ.get(ENV_TOKEN_FILE)
    return None, Path(file) if file else None


def _base(url: str) -> str:
    """The address without a trailing slash and `/api/v1`. Raises NotConfigured."""
    shown = re.sub(r"//.*@", "//...@", url)
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and url.isprintable()
    except ValueError:
        usable = False
    if "://" not in url:
        raise NotConfigured(f"{shown} is no address: write it with its scheme, as in http://{shown}")
    if not usable or parts.scheme not in ("http", "https") or " " in url:
        raise NotConfigured(f"{shown} is no address: write it as http://HOST:PORT or https://HOST")
    if parts.username is not None or parts.query or parts.fragment:
        raise NotConfigured(f"{shown} is more than an address: leave out user, password, ? and #")
    return url.rstrip("/").removesuffix("/api/v1")


def _local(path: Path) -> Connection | None:
    """What runs on the folder, as `mediatask up` has written it down; None when nothing does."""
    try:
        found = json.loads(path.read_bytes())
        return Connection(_base(found["api_url"]), str(found["api_key"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotConfigured(f"{path} cannot be read ({error.strerror}); give --url and --api-key instead") from error
    except (ValueError, KeyError, TypeError, NotConfigured) as error:
        raise NotConfigured(f"{path} is damaged: start `mediatask up` again, or give --url and --api-key") from error
