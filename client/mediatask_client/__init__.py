"""Submit media tasks and follow them: `Client`, `AsyncClient`, and `webhooks.verify` for receivers."""

from __future__ import annotations

from .aio import AsyncClient
from .errors import (
    AccessDenied,
    APIError,
    Conflict,
    InvalidRequest,
    MediaTaskError,
    NotCompleted,
    NotConfigured,
    NotFound,
    TaskFailed,
    Unavailable,
    WaitTimeout,
)
from .models import Artifact, Media, Page, Submitted, Task
from .sdk import Client

__all__ = [
    "APIError",
    "AccessDenied",
    "Artifact",
    "AsyncClient",
    "Client",
    "Conflict",
    "InvalidRequest",
    "Media",
    "MediaTaskError",
    "NotCompleted",
    "NotConfigured",
    "NotFound",
    "Page",
    "Submitted",
    "Task",
    "TaskFailed",
    "Unavailable",
    "WaitTimeout",
]
