"""The REST calls as values: what to send and how to read the answer. The clients only carry them out."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from .models import Page, Submitted, Task

T = TypeVar("T")

BASE = "/api/v1"
TRIES = 5
LONGEST_DELAY = 20.0
"""Seconds between two tries at most, whatever the service asks for."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and the reader of its answer."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""


def submit(
    project_id: str,
    task_type: str,
    task_data: Mapping[str, Any],
    *,
    priority: int | None,
    callback_url: str | None,
    metadata: Mapping[str, Any] | None,
    idempotency_key: str | None,
    extra: Mapping[str, Any],
) -> Call[Submitted]:
    """Repeatable, because it always carries a key: given by the caller, or made for this one call."""
    optional = {"priority": priority, "callback_url": callback_url, "metadata": metadata}
    body = {
        "project_id": project_id,
        "task_type": task_type,
        "task_data": dict(task_data),
        **{key: value for key, value in optional.items() if value is not None},
        **extra,
    }
    headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return Call("POST", f"{BASE}/tasks/submit", _reader(Submitted), json=body, headers=headers)


def status(task_id: str) -> Call[Task]:
    return Call("GET", _task(task_id, "status"), _reader(Task))


def page(project_id: str, *, page: int, limit: int, status: str | None, task_type: str | None) -> Call[Page]:
    filters = {"status": status, "task_type": task_type}
    params = {"page": page, "limit": limit, **{key: value for key, value in filters.items() if value}}
    return Call("GET", f"{BASE}/projects/{quote(project_id, safe='')}/tasks", _reader(Page), params=params)


def cancel(task_id: str) -> Call[Task | None]:
    """Reads the final state, None while the task is still stopping (202)."""

    def read(response: httpx.Response) -> Task | None:
        return Task.model_validate(response.json()) if response.status_code == 200 else None

    return Call("DELETE", _task(task_id, "cancel"), read, repeatable=False)


def retry(task_id: str) -> Call[None]:
    return Call("POST", _task(task_id, "retry"), _ignore, repeatable=False)


def task_types() -> Call[list[dict[str, Any]]]:
    return Call("GET", f"{BASE}/task-types", _json)


def task_type(name: str) -> Call[dict[str, Any]]:
    return Call("GET", f"{BASE}/task-types/{quote(name, safe='')}", _json)


def log_path(task_id: str) -> str:
    return _task(task_id, "logs")


def delay(call: Call[Any], tries: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
    """Seconds until the next try after `tries` have failed, None to give up.

    A call that is not repeatable is tried again only when it surely had no effect: the connection was refused, or
    the service said so (429, 503).
    """
    if tries >= TRIES:
        return None
    if isinstance(outcome, httpx.Response):
        no_effect = outcome.status_code in (429, 503)
        if not (no_effect or (call.repeatable and outcome.status_code in (500, 502, 504))):
            return None
        asked = outcome.headers.get("retry-after", "")
        if asked.isdigit():
            return min(float(asked), LONGEST_DELAY)
    elif not (call.repeatable or isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout)):
        return None
    return min(0.25 * 2.0 ** (tries - 1), LONGEST_DELAY) * random.uniform(0.75, 1.25)


def _task(task_id: str, what: str) -> str:
    return f"{BASE}/tasks/{quote(task_id, safe='')}/{what}"


M = TypeVar("M", Submitted, Task, Page)


def _reader(model: type[M]) -> Callable[[httpx.Response], M]:
    return lambda response: model.model_validate(response.json())


def _json(response: httpx.Response) -> Any:
    return response.json()


def _ignore(_: httpx.Response) -> None:
    return None
