"""From files to a published result."""

from __future__ import annotations

import hashlib
import logging
import secrets
from pathlib import Path

from mediatask_crds.podcontract import Artifact, ArtifactRequest

from .api import Api, KeyTaken

log = logging.getLogger(__name__)

_NAMES_TRIED = 5


def upload(api: Api, attempt: int, file: Path, content_type: str) -> Artifact:
    """Store one file, create-only, and say where it lies.

    A taken key belongs to another pod of this attempt, or to our own try whose answer was lost; which of them
    cannot be told, so the file goes under another name and the result names the right one.
    """
    digest = _sha256(file)
    size = file.stat().st_size

    def store(name: str) -> Artifact:
        request = ArtifactRequest(attempt=attempt, name=name, content_type=content_type, bytes=size, sha256=digest)

        def granted_put() -> str:
            # A new grant for every try: the old one may have expired while the store was away.
            grant = api.grant_artifact(request)
            api.put(grant, file)
            return grant.key

        key = api.patiently(granted_put, f"uploading {name}")
        return Artifact(name=name, key=key, sha256=digest, bytes=size, content_type=content_type)

    name = file.name
    for _ in range(_NAMES_TRIED - 1):
        try:
            return store(name)
        except KeyTaken as taken:
            log.warning("the key %s is taken", taken)
            name = f"{file.stem}-{secrets.token_hex(4)}{file.suffix}"
    return store(name)


def _sha256(file: Path) -> str:
    with file.open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()
