"""References to files that the platform keeps, where a task's data takes a URL. Pure.

`upload://<upload id>` is a file that a caller has uploaded, `task://<task id>/<file name>` one that a completed task
has made. Both hold within the project of the task that names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UPLOAD = "upload://"
TASK = "task://"
PART_BYTES = 64 * 1024**2
"""Larger files are uploaded in parts of this size."""

_UPLOAD = re.compile(r"upload://([0-9a-f]{32})")
_TASK = re.compile(r"task://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)/([A-Za-z0-9][A-Za-z0-9._-]{0,100})")


@dataclass(frozen=True)
class UploadReference:
    """A file that was uploaded."""

    upload_id: str


@dataclass(frozen=True)
class OutputReference:
    """A file that another task has made."""

    task_id: str
    name: str


def is_reference(url: str) -> bool:
    """Whether only the platform can resolve this."""
    return url.startswith((UPLOAD, TASK))


def parse_reference(url: str) -> UploadReference | OutputReference:
    """What a reference names. Raises ValueError where it is malformed."""
    if found := _UPLOAD.fullmatch(url):
        return UploadReference(found[1])
    if found := _TASK.fullmatch(url):
        return OutputReference(found[1], found[2])
    raise ValueError("not a reference: write upload://<upload id> or task://<task id>/<file name>")
