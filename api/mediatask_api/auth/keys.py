"""API keys: made once, stored as digests, re-read when their file changes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mediatask_common.logging import get_logger

log = get_logger(__name__)

PREFIX = "mtk_"


class ApiKey(BaseModel):
    """A key as it is stored: nobody can sign in with what the file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    id: Annotated[str, Field(min_length=1, max_length=128)]
    """Name of the key, for people and logs."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the key, hexadecimal. A key has 256 random bits, so a slow hash would add nothing."""
    projects: list[str]
    """Projects the key may use; `*` for all."""
    expires_at: AwareDatetime | None = None
    """When it stops being valid."""
    description: str = ""
    """What it is for."""


_KEYS = TypeAdapter(list[ApiKey])


def new_key(
    id: str, projects: Sequence[str], *, expires_at: datetime | None = None, description: str = ""
) -> tuple[str, ApiKey]:
    """A new key: the secret for its owner, and what goes into the file."""
    secret = PREFIX + secrets.token_urlsafe(32)
    stored = ApiKey(
        id=id, sha256=_digest(secret), projects=list(projects), expires_at=expires_at, description=description
    )
    return secret, stored


def dump_keys(keys: Sequence[ApiKey]) -> bytes:
    """The content of a keys file."""
    return _KEYS.dump_json(list(keys), indent=2)


class KeyRing:
    """The keys of a file."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError or OSError when the file cannot be used: a service without keys serves nobody."""
        self._path = path
        self._stamp = _stamp(path)
        self._keys = _KEYS.validate_json(path.read_bytes())

    def find(self, secret: str, now: datetime) -> ApiKey | None:
        """The valid key with this secret."""
        self._reload_if_changed()
        digest, found = _digest(secret), None
        for key in self._keys:  # all of them, so that the time taken says nothing about which one matched
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found if found and (found.expires_at is None or now < found.expires_at) else None

    def _reload_if_changed(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._keys = _KEYS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            self._stamp, self._keys = None, []  # a removed file takes its keys back
        except (OSError, ValidationError) as error:
            # A typing mistake in one key must not lock everybody out.
            log.error("keys file cannot be read, its last good content stays in force", error=str(error))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _stamp(path: Path) -> tuple[int, ...] | None:
    known = os.stat(path)
    return known.st_mtime_ns, known.st_ino, known.st_size
