"""What may be said of a file that a job has made. A pod is a stranger: every value is bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

ARTIFACT_LIMIT = 5 * 1024**3
"""Bytes of one file: S3 takes no more in one upload."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")]
"""A plain file name: no folder, no leading dot, no character that means something to a shell or in a header."""
StoreKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=512)]
"""A key of the artifact store."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, hexadecimal."""
FileSize = Annotated[int, Field(ge=0, le=ARTIFACT_LIMIT)]
ContentType = Annotated[
    str,
    Field(
        pattern=r"^((image|video|audio)/[a-z0-9][a-z0-9.-]*|text/(plain|csv|vtt|markdown)|application/json)$",
        max_length=128,
    ),
]
"""Media and data alone: nothing that a browser would run, such as HTML, SVG or scripts."""
