"""Where a download is written, and that it is whole."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import httpx

from .errors import Unavailable


def target(to: Path, task_id: str, response: httpx.Response) -> Path:
    """The file to write: `to` itself, or `<task id><suffix>` in it when it is a folder."""
    if not to.is_dir():
        return to
    suffix = PurePosixPath(unquote(urlsplit(str(response.url)).path)).suffix
    content_type = response.headers.get("content-type", "").partition(";")[0]
    return to / f"{task_id}{suffix or mimetypes.guess_extension(content_type) or ''}"


@contextmanager
def complete(path: Path, response: httpx.Response) -> Iterator[BinaryIO]:
    """A file that appears under its name only once all of it has arrived.

    Raises:
        Unavailable: fewer bytes came than were announced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            yield out
        announced = response.headers.get("content-length")
        if announced and "content-encoding" not in response.headers and part.stat().st_size != int(announced):
            raise Unavailable(f"the download of {path.name} ended early: try again")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
