"""The interface of an artifact store and the layout of its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


def artifact_key(project: str, uid: str, attempt: int, name: str) -> str:
    """`projects/<project>/<task uid>/<attempt>/<name>`: an attempt never touches another's files."""
    return f"projects/{project}/{uid}/{attempt}/{name}"


def result_key(project: str, uid: str) -> str:
    """The one object whose creation publishes a task's result: whoever creates it first has won."""
    return f"projects/{project}/{uid}/result.json"


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
    """Objects are created once and never overwritten."""

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
        """Leave to create one object of just this content within `expires` seconds."""
        ...

    def download_url(self, key: str, *, expires: int | None = None) -> str:
        """A URL that reads the object: public where the store is, else signed for `expires` seconds."""
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
