"""The interface of an artifact store and the layout of its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

PART_LIMIT = 240
"""Bytes of one part of a key: file systems take 255 for a name."""
KEY_LIMIT = 1024
"""Bytes of a key: as S3 has it."""


class InvalidKey(ValueError):
    """The text is no key of any object; nothing can be stored under it."""


def check_key(key: str) -> str:
    """The key as it is: parts between slashes, none of them empty, `.` or `..`, and no NUL. Raises InvalidKey."""
    try:
        parts = key.encode().split(b"/")
    except UnicodeEncodeError as error:
        raise InvalidKey(f"not a key: {key!r:.200}") from error
    if any(part in (b"", b".", b"..") or len(part) > PART_LIMIT for part in parts) or "\0" in key:
        raise InvalidKey(f"not a key: {key!r:.200}")
    if sum(map(len, parts)) + len(parts) - 1 > KEY_LIMIT:
        raise InvalidKey(f"a key has at most {KEY_LIMIT} bytes: {key!r:.200}")
    return key


def artifact_key(project: str, uid: str, attempt: int, name: str) -> str:
    """`projects/<project>/<task uid>/<attempt>/<name>`: an attempt never touches another's files."""
    return f"projects/{project}/{uid}/{attempt}/{name}"


def result_key(project: str, uid: str) -> str:
    """The one object whose creation publishes a task's result: whoever creates it first has won."""
    return f"projects/{project}/{uid}/result.json"


def public_url(base: str | None, key: str) -> str | None:
    """The address of a key under the base URL of a public store; None where the store is not public."""
    return f"{base.rstrip('/')}/{quote(key)}" if base else None


@dataclass(frozen=True)
class Stored:
    """What is known of a stored object."""

    key: str
    bytes: int
    sha256: str | None
    """Hexadecimal; None where the service keeps none."""
    content_type: str


@dataclass(frozen=True)
class UploadGrant:
    """A presigned, create-only PUT: `headers` have to be sent as they are; 412 means that the key is taken."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


class ArtifactStore(Protocol):
    """Objects are created once and never overwritten. Every method raises InvalidKey for what is no key."""

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
        """Permission to create one object of just this content within `expires` seconds."""
        ...

    def public_url(self, key: str) -> str | None:
        """The URL under which everybody may read the object, for good; None where the store is not public."""
        ...

    def download_url(self, key: str, *, expires: int | None = None, at: datetime | None = None) -> str:
        """A URL that reads the object: the public one where there is one, else signed.

        Args:
            key: the object, which need not exist.
            expires: seconds from `at` for which the signature holds; the setting's when absent.
            at: moment of the signature, now when absent. Of one moment (and the same credentials) every URL is the
                same, byte for byte.
        """
        ...

    async def head(self, key: str) -> Stored | None:
        """What is stored under the key; None when nothing is. Raises OSError when the store is away."""
        ...

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        """The content, refused with ValueError above `limit` bytes; FileNotFoundError when absent."""
        ...

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        """Create an object; False when the key is taken (its content stays). Durable when it returns."""
        ...

    async def check(self) -> None:
        """Raise OSError when the store cannot be used."""
        ...
