"""What a download is called, and that it is whole before it appears."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .errors import Unavailable
from .models import Artifact


def target(to: Path, task_id: str, artifact: Artifact) -> Path:
    """The file to write: `to` itself, or `<task id><suffix>` in it when it is a folder."""
    return to / f"{task_id}{PurePosixPath(artifact.name).suffix}" if to.is_dir() else to


class Incoming:
    """A file being received: hashed as it comes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self._out.write(chunk)


@contextmanager
def complete(path: Path, artifact: Artifact) -> Iterator[Incoming]:
    """A file that appears under its name only when its bytes are those that the task published.

    Raises:
        Unavailable: they are not; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            incoming = Incoming(out)
            yield incoming
        if incoming.digest.hexdigest() != artifact.sha256:
            raise Unavailable(f"{artifact.name} did not arrive as it was published: try again")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
