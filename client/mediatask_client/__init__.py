"""Submit media tasks and follow them: `Client`, `AsyncClient`, and `webhooks.verify` for receivers."""

from __future__ import annotations

from .aio import AsyncClient
from .errors import (
    AccessDenied,
    APIError,
    Conflict,
    InvalidRequest,
    MediaTaskError,
    NotConfigured,
    NotFound,
    TaskFailed,
    Unavailable,
    WaitTimeout,
)
from .models import Media, Page, Submitted, Task
from .sdk import Client

__all__ = [
    "APIError",
    "AccessDenied",
    "AsyncClient",
    "Client",
    "Conflict",
    "InvalidRequest",
    "Media",
    "MediaTaskError",
    "NotConfigured",
    "NotFound",
    "Page",
    "Submitted",
    "Task",
    "TaskFailed",
    "Unavailable",
    "WaitTimeout",
]
