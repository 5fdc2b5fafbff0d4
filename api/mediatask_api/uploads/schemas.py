"""Shapes of uploads on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mediatask_crds.artifact import ARTIFACT_LIMIT, Digest
from mediatask_crds.mediatypes import InputType
from mediatask_crds.references import PART_BYTES
from mediatask_crds.task import ProjectId

from ..http.openapi.schemas import Rest

MOST_PARTS = -(-ARTIFACT_LIMIT // PART_BYTES)

SAMPLE = "0123456789abcdef0123456789abcdef"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class UploadRequest(Rest):
    """A file that is to be uploaded."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "project_id": "detective_series_001",
                    "filename": "alley.png",
                    "content_type": "image/png",
                    "bytes": 482113,
                    "sha256": DIGEST,
                }
            ]
        }
    )

    project_id: ProjectId
    """Project whose tasks may use it."""
    filename: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f\x7f-\x9f]+$")]
    """What the file is called; for people, never part of a path."""
    content_type: InputType
    """What it is. The content has to begin like a file of this type."""
    bytes: Annotated[int, Field(ge=1, le=ARTIFACT_LIMIT)]
    """Its size; 5 GiB at most."""
    sha256: Digest
    """Digest of its content, hexadecimal."""
    parts_sha256: Annotated[list[Digest], Field(max_length=MOST_PARTS)] = []
    """Above 64 MiB: the digest of each part of 64 MiB, the last one being the rest."""


class PartAnswer(Rest):
    """Where and how to upload a part."""

    number: int
    bytes: int
    url: str
    headers: dict[str, str]


class UploadAnswer(Rest):
    """Where and how to upload the file, and how tasks name it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "upload_id": SAMPLE,
                    "reference": f"upload://{SAMPLE}",
                    "method": "PUT",
                    "url": f"https://s3.example.com/media/uploads/detective_series_001/{SAMPLE}/content?X-Amz-Signature=...",
                    "headers": {"Content-Type": "image/png", "If-None-Match": "*"},
                    "expires_at": "2025-09-24T14:30:00Z",
                    "parts": [],
                    "complete_url": None,
                }
            ]
        }
    )

    upload_id: str
    reference: str
    """Stands where a task's data takes a URL."""
    method: Literal["PUT"]
    url: str | None
    """Send the file to it; null where it is uploaded in parts."""
    headers: dict[str, str]
    """To be sent as they are."""
    expires_at: str
    """When the URLs do no longer hold."""
    parts: list[PartAnswer]
    """Above 64 MiB: each part has a URL of its own."""
    complete_url: str | None
    """Above 64 MiB: POST to it when all parts are there."""


class CompleteRequest(Rest):
    """All parts of an upload are there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"project_id": "detective_series_001"}]})

    project_id: ProjectId


class CompleteAnswer(Rest):
    """The upload can be used."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"upload_id": SAMPLE, "reference": f"upload://{SAMPLE}", "bytes": 182452224}],
        }
    )

    upload_id: str
    reference: str
    bytes: int
