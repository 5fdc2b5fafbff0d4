"""From files to a published result."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from mediatask_crds.podcontract import Artifact, ArtifactRequest

from ..runtime.api import Api, KeyTaken


def upload(api: Api, attempt: int, file: Path, content_type: str) -> Artifact:
    """Store one file, create-only, and say where it lies.

    A taken key belongs to another pod of this attempt, or to our own try whose answer was lost; which of them
    cannot be told, so the file goes under another name and the result names the right one.
    """
    digest = _sha256(file)
    size = file.stat().st_size
    name = file.name

    def granted_put() -> Artifact:
        nonlocal name
        request = ArtifactRequest(attempt=attempt, name=name, content_type=content_type, bytes=size, sha256=digest)
        # A new grant for every try: the old one may have expired while the store was away.
        grant = api.grant_artifact(request)
        try:
            api.put(grant, file)
        except KeyTaken:
            name = f"{file.stem}-{secrets.token_hex(4)}{file.suffix}"
            raise
        return Artifact(name=name, key=grant.key, sha256=digest, bytes=size, content_type=content_type)

    return api.patiently(granted_put, f"uploading {file.name}")


def _sha256(file: Path) -> str:
    with file.open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()
