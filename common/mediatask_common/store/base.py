"""The interface of an artifact store and the layout of its keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

PART_LIMIT = 240
"""Bytes of one part of a key: file systems take 255 for a name."""
PIECE_BYTES = 256 * 1024
"""What is in memory at one time of content that is passed on."""
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


def task_folder(project: str, uid: str) -> str:
    """Prefix of everything that a task makes."""
    return f"projects/{project}/{uid}/"


def artifact_key(project: str, uid: str, attempt: int, name: str) -> str:
    """`projects/<project>/<task uid>/<attempt>/<name>`: an attempt never touches another's files."""
    return f"{task_folder(project, uid)}{attempt}/{name}"


def result_key(project: str, uid: str) -> str:
    """The one object whose creation publishes a task's result: whoever creates it first has won."""
    return f"{task_folder(project, uid)}result.json"


def context_key(project: str, uid: str) -> str:
    """The one object with a task's data as its jobs get it, where the Brain has added to it."""
    return f"{task_folder(project, uid)}context.json"


def log_key(project: str, uid: str, attempt: int) -> str:
    """Where the end of an attempt's log is kept: in no attempt's folder, where a job could put a file of this name."""
    return f"projects/{project}/{uid}/logs/{attempt}.txt"


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
class Listed:
    """What a listing says of an object."""

    key: str
    bytes: int
    modified: datetime
    """By the store's clock."""


@dataclass(frozen=True)
class Part:
    """A part of a large object, as it is announced."""

    bytes: int
    sha256: str


class Incomplete(ValueError):
    """Parts of a multipart upload are missing."""

    def __init__(self, missing: Sequence[int]) -> None:
        super().__init__(f"parts {', '.join(map(str, missing[:10]))} have not been uploaded")
        self.missing = list(missing)


@dataclass(frozen=True)
class UploadGrant:
    """A presigned, create-only PUT: `headers` have to be sent as they are; 412 means that the key is taken."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


class ArtifactStore(Protocol):
    """Objects are created once and never overwritten. Every method raises InvalidKey for what is no key, and the
    asynchronous ones OSError when the store is away."""

    def upload_grant(
        self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600, outside: bool = False
    ) -> UploadGrant:
        """Permission to create one object of just this content within `expires` seconds.

        Args:
            outside: for callers outside the cluster, who reach the store at another address than pods.
        """
        ...

    async def part_grants(
        self, key: str, parts: Sequence[Part], *, content_type: str, sha256: str, expires: int = 3600
    ) -> list[UploadGrant]:
        """Permission to upload a large object in parts, for callers outside. It appears with `join_parts`.

        Each part but the last has 5 MiB at least. The store checks the digest of each part; that of the whole is kept
        as announced, and whoever reads the object has to check it.
        """
        ...

    async def join_parts(self, key: str, sizes: Sequence[int]) -> bool:
        """Create the object out of its parts; False when the key is taken.

        Args:
            sizes: bytes of each part, as they were announced.

        Raises:
            Incomplete: parts are missing.
            FileNotFoundError: no such upload was begun.
        """
        ...

    async def drop_parts(self, key: str) -> None:
        """Give up uploads in parts of this key that were begun and not completed."""
        ...

    def pod_url(self, key: str, *, expires: int) -> str:
        """A signed URL that reads the object from inside the cluster for so many seconds."""
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
        """What is stored under the key; None when nothing is."""
        ...

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        """The content, refused with ValueError above `limit` bytes; FileNotFoundError when absent."""
        ...

    def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        """The content, a piece at a time; FileNotFoundError when absent. Whoever stops early closes it."""
        ...

    async def start(self, key: str, limit: int) -> tuple[Stored, bytes]:
        """What is stored under the key, and its first bytes, `limit` at most; FileNotFoundError when absent."""
        ...

    def objects(self, prefix: str) -> AsyncIterator[Listed]:
        """The objects whose keys begin with the prefix, which ends with a slash; those of one folder stand together."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        ...

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        """Create an object; False when the key is taken (its content stays). Durable when it returns."""
        ...

    async def check(self) -> None:
        """Raise OSError when the store cannot be used."""
        ...
