"""Local files as inputs of tasks: what they are, and where they stand in a task's data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from mediatask_crds.mediatypes import HEAD_BYTES, input_types
from mediatask_crds.references import PART_BYTES

from .errors import UsageError

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class LocalFile:
    """A file that is to be uploaded."""

    path: Path
    content_type: str
    bytes: int
    sha256: str
    parts_sha256: list[str]
    """Of each part; none where it is uploaded whole."""

    @property
    def announcement(self) -> dict[str, Any]:
        """What the service is told of it."""
        return {
            "filename": self.path.name,
            "content_type": self.content_type,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "parts_sha256": self.parts_sha256,
        }


def examine(path: Path) -> LocalFile:
    """Read a file once: its type by its first bytes, its size and digests.

    Raises:
        UsageError: it cannot be read, is empty, or is of no type that tasks take.
    """
    whole, parts, head, size = hashlib.sha256(), [], b"", 0
    try:
        with path.open("rb") as body:
            while True:
                part, left = hashlib.sha256(), PART_BYTES
                while piece := body.read(min(PIECE_BYTES, left)):
                    head = head or piece[:HEAD_BYTES]
                    left -= len(piece)
                    whole.update(piece)
                    part.update(piece)
                if left == PART_BYTES:
                    break
                size += PART_BYTES - left
                parts.append(part.hexdigest())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    types = input_types(head)
    if not types:
        what = "is empty" if not size else "is no picture, recording or film of a known format"
        raise UsageError(f"{path} {what}, so that no task could use it")
    return LocalFile(path, types[0], size, whole.hexdigest(), parts if len(parts) > 1 else [])


def pieces(path: Path, start: int, size: int) -> Iterator[bytes]:
    """A part of a file, piece by piece."""
    with path.open("rb") as body:
        body.seek(start)
        while size and (piece := body.read(min(PIECE_BYTES, size))):
            size -= len(piece)
            yield piece


def local_paths(data: Any) -> list[Path]:
    """The paths that stand in a task's data, each once. Text is never taken for one."""
    return list(dict.fromkeys(_paths(data)))


def with_references(data: Any, references: Mapping[Path, str]) -> Any:
    """The same data with references in the place of paths."""
    if isinstance(data, PathLike):
        return references[Path(data)]
    if isinstance(data, Mapping):
        return {key: with_references(value, references) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [with_references(value, references) for value in data]
    return data


def _paths(data: Any) -> Iterator[Path]:
    if isinstance(data, PathLike):
        yield Path(data)
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _paths(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _paths(value)
