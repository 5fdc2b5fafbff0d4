"""Submit media tasks and follow them: `Client`, `AsyncClient`, and `webhooks.verify` for receivers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._async.client import AsyncClient
    from ._async.submission import AsyncSubmission
    from ._sync.client import Client
    from ._sync.submission import Submission
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
    from .models import (
        ApiKey,
        Artifact,
        BatchResult,
        Budgets,
        CostRecord,
        CostRecords,
        Estimation,
        Media,
        NewApiKey,
        Page,
        Services,
        ServiceState,
        Submitted,
        Task,
        TaskType,
        Upload,
        Usage,
        Webhook,
    )
    from .rest.events import Event

__all__ = [
    "APIError",
    "AccessDenied",
    "ApiKey",
    "Artifact",
    "AsyncClient",
    "AsyncSubmission",
    "BatchResult",
    "Budgets",
    "Client",
    "Conflict",
    "CostRecord",
    "CostRecords",
    "Estimation",
    "Event",
    "InvalidRequest",
    "Media",
    "MediaTaskError",
    "NewApiKey",
    "NotCompleted",
    "NotConfigured",
    "NotFound",
    "Page",
    "ServiceState",
    "Services",
    "Submission",
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

_HOMES = {
    "AsyncClient": "_async.client",
    "AsyncSubmission": "_async.submission",
    "Client": "_sync.client",
    "Submission": "_sync.submission",
    "Event": "rest.events",
} | dict.fromkeys(
    (
        "ApiKey",
        "Artifact",
        "BatchResult",
        "Budgets",
        "CostRecord",
        "CostRecords",
        "Estimation",
        "Media",
        "NewApiKey",
        "Page",
        "Submitted",
        "Task",
        "Services",
        "ServiceState",
        "TaskType",
        "Upload",
        "Usage",
        "Webhook",
    ),
    "models",
)


def __getattr__(name: str) -> Any:
    """Loaded on first use: receivers of webhooks and `mediatask --help` need neither HTTP client nor models."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
