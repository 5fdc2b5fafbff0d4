"""Where media lies: one interface, S3 or a folder behind it."""

from __future__ import annotations

from ..settings import StoreSettings
from .base import (
    ArtifactStore,
    Incomplete,
    InvalidKey,
    Listed,
    Part,
    Stored,
    UploadGrant,
    artifact_key,
    context_key,
    log_key,
    result_key,
    task_folder,
)

__all__ = [
    "ArtifactStore",
    "Incomplete",
    "InvalidKey",
    "Listed",
    "Part",
    "Stored",
    "UploadGrant",
    "artifact_key",
    "context_key",
    "log_key",
    "open_store",
    "result_key",
    "task_folder",
]


def open_store(settings: StoreSettings) -> ArtifactStore:
    """The store that the settings name."""
    if settings.kind == "s3":
        from .s3 import S3Store

        return S3Store(settings)
    from .file import FileStore

    return FileStore(settings)
