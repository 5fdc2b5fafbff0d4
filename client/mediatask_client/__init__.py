"""Submit media tasks and follow them: `Client`, `AsyncClient`, and `webhooks.verify` for receivers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_client import AsyncClient
    from .client import Client
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
        UnexpectedAnswer,
        UsageError,
        WaitTimeout,
    )
    from .events import Event
    from .models import Artifact, BatchResult, Media, Page, Submitted, Task, TaskType, Upload, Usage, Webhook

__all__ = [
    "APIError",
    "AccessDenied",
    "Artifact",
    "AsyncClient",
    "BatchResult",
    "Client",
    "Conflict",
    "Event",
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
    "TaskType",
    "Unavailable",
    "UnexpectedAnswer",
    "Upload",
    "Usage",
    "UsageError",
    "WaitTimeout",
    "Webhook",
]

_HOMES = {"AsyncClient": "async_client", "Client": "client", "Event": "events"} | dict.fromkeys(
    ("Artifact", "BatchResult", "Media", "Page", "Submitted", "Task", "TaskType", "Upload", "Usage", "Webhook"),
    "models",
)


def __getattr__(name: str) -> Any:
    """Loaded on first use: receivers of webhooks and `mediatask --help` need neither HTTP client nor models."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
