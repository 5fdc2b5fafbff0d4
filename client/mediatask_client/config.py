"""Address and API key of the service: arguments, then environment, then a local mode that runs here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from .errors import NotConfigured

ENV_URL = "MEDIATASK_URL"
ENV_API_KEY = "MEDIATASK_API_KEY"
ENV_DIR = "MEDIATASK_DIR"
DEFAULT_DIR = Path(".mediatask")

StoreKind = Literal["file", "s3"]
"""Where the local mode keeps media."""


@dataclass(frozen=True)
class Connection:
    """A service and the key for it."""

    url: str
    """Address without the `/api/v1` part."""
    api_key: str = field(repr=False)


def resolve(
    url: str | None = None,
    api_key: str | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """The connection to use; each of address and key from the first place that names it.

    The local mode's key is only ever sent to the local mode's address. No message shows a key.

    Args:
        folder: state folder of `mediatask up`; `MEDIATASK_DIR`, else `.mediatask` in the working directory.

    Raises:
        NotConfigured: an address or a key is missing, or is none.
    """
    folder = folder or Path(environ.get(ENV_DIR) or DEFAULT_DIR)
    url = url or environ.get(ENV_URL)
    api_key = api_key or environ.get(ENV_API_KEY)
    local = None if url and api_key else _local(folder / "up.json")
    if url:
        base = _base(url)
    elif local:
        base = local.url
    else:
        raise NotConfigured(
            f"no service address: set {ENV_URL} and {ENV_API_KEY}, or start one here with `mediatask up` "
            f"(looked for {folder / 'up.json'})"
        )
    if not api_key and local and local.url == base:
        api_key = local.api_key
    if not api_key:
        raise NotConfigured(f"no API key for {base}: set {ENV_API_KEY} or give --api-key")
    return Connection(base, _key(api_key))


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


def _key(text: str) -> str:
    """The key without white space around it. Raises NotConfigured, without showing it."""
    key = text.strip()
    if not re.fullmatch(r"[!-~]+", key):
        raise NotConfigured(
            "the API key holds a space, a line break or a character that is not ASCII, which no key does: "
            f"check --api-key or {ENV_API_KEY}"
        )
    return key


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
