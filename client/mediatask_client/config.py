"""Where the service is and which key opens it: arguments, then environment, then a local mode that runs nearby."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
    api_key: str


def resolve(
    url: str | None = None,
    api_key: str | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """The connection to use; each of address and key from the first place that names it.

    The local mode's key is only ever sent to the local mode's address.

    Args:
        folder: state folder of `mediatask up`; `MEDIATASK_DIR`, else `.mediatask` in the working directory.

    Raises:
        NotConfigured: an address or a key is missing.
    """
    folder = folder or Path(environ.get(ENV_DIR) or DEFAULT_DIR)
    local = _local(folder)
    url = url or environ.get(ENV_URL) or local.get("api_url")
    if not url:
        raise NotConfigured(
            f"no service address: set {ENV_URL} and {ENV_API_KEY}, or start one here with `mediatask up` "
            f"(looked for {folder / 'up.json'})"
        )
    base = _base(url)
    api_key = api_key or environ.get(ENV_API_KEY)
    if not api_key and local and base == _base(str(local["api_url"])):
        api_key = local.get("api_key")
    if not api_key:
        raise NotConfigured(f"no API key for {base}: set {ENV_API_KEY} or give --api-key")
    return Connection(base, api_key)


def _base(url: str) -> str:
    return url.rstrip("/").removesuffix("/api/v1")


def _local(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "up.json").read_text())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}
