"""Names of downloads, and files that appear only once they are complete."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .errors import Unavailable
from .models import Artifact

LONGEST_NAME = 100
"""Characters of a name that are kept, at its end, where the suffix is; file systems allow 255 bytes."""


def safe_name(name: str) -> str:
    """A file name that stays in its folder, whatever the service or a job calls the file.

    Only the last part of a path is kept, without leading dots; other characters than letters, digits, `.`, `_` and `-`
    become `_`.
    """
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w.-]", "_", last, flags=re.ASCII).lstrip(".")[-LONGEST_NAME:] or "file"


def main_name(task_id: str, artifact: Artifact) -> str:
    """`<task id><suffix>`: the name of a task's media."""
    return safe_name(task_id) + PurePosixPath(safe_name(artifact.name)).suffix


def other_name(task_id: str, artifact: Artifact) -> str:
    """`<task id>-<name>`: the name of a task's further files."""
    return f"{safe_name(task_id)}-{safe_name(artifact.name)}"


def target(to: Path, task_id: str, artifact: Artifact) -> Path:
    """The file to write: `to` itself, or the media's own name in it when it is a folder."""
    return to / main_name(task_id, artifact) if to.is_dir() else to


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
            raise Unavailable(f"the download of {artifact.name} is damaged, its checksum differs: try again")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
