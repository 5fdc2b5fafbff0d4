"""The REST calls as values: what to send and how to read the answer. The clients only carry them out."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from ..errors import UsageError
from ..models import (
    ApiKey,
    ApiKeys,
    BatchAnswer,
    BatchResult,
    Budgets,
    CostRecords,
    Estimation,
    HeldTasks,
    NewApiKey,
    Page,
    Services,
    Submitted,
    Task,
    TaskType,
    Upload,
    Usage,
    Webhook,
)
from .failures import unexpected

T = TypeVar("T")
S = TypeVar("S", bound=Submitted)

BASE = "/api/v1"
TRIES = 5
LONGEST_DELAY = 20.0
"""Seconds between two tries at most, whatever the service asks for."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and the reader of its answer."""

    method: str
    path: str
    answer: Callable[[httpx.Response], T]
    """Reads the body of a success; raises ValueError where it is not what this call answers."""
    params: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    """JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""

    def read(self, response: httpx.Response) -> T:
        """The answer of a success.

        Raises:
            UnexpectedAnswer: it is none of this API.
        """
        try:
            return self.answer(response)
        except ValueError as error:
            raise unexpected(response) from error


def submit(
    kind: type[S],
    project_id: str,
    task_type: str,
    task_data: Mapping[str, Any],
    *,
    priority: int | None,
    tags: Sequence[str] | None,
    not_before: datetime | str | None,
    callback_url: str | None,
    metadata: Mapping[str, Any] | None,
    idempotency_key: str | None,
    extra: Mapping[str, Any],
) -> Call[S]:
    """Repeatable, because it always carries a key: given by the caller, or made for this one call."""
    optional = {
        "priority": priority,
        "tags": None if tags is None else list(tags),
        "not_before": None if not_before is None else _moment("not_before", not_before),
        "callback_url": callback_url,
        "metadata": metadata,
    }
    body = {
        "project_id": project_id,
        "task_type": task_type,
        "task_data": task_data,
        **{key: value for key, value in optional.items() if value is not None},
        **extra,
    }
    headers = {"Idempotency-Key": _key(idempotency_key), "Content-Type": "application/json"}
    return Call("POST", f"{BASE}/tasks/submit", _reader(kind), body=_json(body), headers=headers)


def estimate(
    project_id: str, task_type: str, task_data: Mapping[str, Any], *, priority: int | None, extra: Mapping[str, Any]
) -> Call[Estimation]:
    urgency = {} if priority is None else {"priority": priority}
    body = {"project_id": project_id, "task_type": task_type, "task_data": task_data, **urgency, **extra}
    return Call("POST", f"{BASE}/tasks/estimate", _reader(Estimation), body=_json(body), headers=_JSON_BODY)


def batch(tasks: Sequence[Mapping[str, Any]], *, atomic: bool) -> Call[list[BatchResult]]:
    """Repeatable, as a submit is: each task has a key."""
    keyed = [{**task, "idempotency_key": _key(task.get("idempotency_key"))} for task in tasks]
    answer = _reader(BatchAnswer)
    return Call(
        "POST",
        f"{BASE}/tasks/batch",
        lambda response: answer(response).results,
        body=_json({"tasks": keyed, "atomic": atomic}),
        headers={"Content-Type": "application/json"},
    )


def usage(project_id: str, *, first: date | None, last: date | None, group_by: str) -> Call[Usage]:
    days = {"from": first, "to": last}
    params = {"group_by": group_by, **{name: day.isoformat() for name, day in days.items() if day is not None}}
    return Call("GET", f"{BASE}/projects/{_segment(project_id)}/usage", _reader(Usage), params=params)


def budgets(project_id: str) -> Call[Budgets]:
    return Call("GET", f"{BASE}/projects/{_segment(project_id)}/budgets", _reader(Budgets))


def cost_records(project_id: str, *, first: date | None, last: date | None, cursor: str | None) -> Call[CostRecords]:
    days = {"from": first, "to": last}
    params = {name: day.isoformat() for name, day in days.items() if day is not None}
    if cursor:
        params["cursor"] = cursor
    return Call("GET", f"{BASE}/projects/{_segment(project_id)}/usage/records", _reader(CostRecords), params=params)


def webhook(task_id: str) -> Call[Webhook]:
    return Call("GET", _task(task_id, "webhook"), _reader(Webhook))


def redeliver(task_id: str) -> Call[Webhook]:
    """Repeatable: as long as the first request is not taken up, another one changes nothing."""
    return Call("POST", _task(task_id, "webhook/redeliver"), _reader(Webhook))


def reviews(project_id: str | None, limit: int) -> Call[HeldTasks]:
    params = {"limit": limit} | ({"project_id": project_id} if project_id is not None else {})
    return Call("GET", f"{BASE}/reviews", _reader(HeldTasks), params=params)


def review(task_id: str, decision: str, note: str) -> Call[Task]:
    """Repeatable: a review that has taken effect is refused, and changes nothing."""
    return Call("POST", _task(task_id, "review"), _reader(Task), body=_json({"decision": decision, "note": note}))


def status(task_id: str) -> Call[Task]:
    return Call("GET", _task(task_id, "status"), _reader(Task))


def page(
    project_id: str,
    *,
    page: int,
    limit: int,
    status: str | None,
    task_type: str | None,
    tag: str | None,
    cursor: str | None,
) -> Call[Page]:
    filters = {"status": status, "task_type": task_type, "tag": tag, "cursor": cursor}
    params = {"page": page, "limit": limit, **{key: value for key, value in filters.items() if value}}
    return Call("GET", f"{BASE}/projects/{_segment(project_id)}/tasks", _reader(Page), params=params)


def cancel(task_id: str) -> Call[Task | None]:
    """Reads the final state, None while the task is still stopping (202)."""
    final = _reader(Task)

    def answer(response: httpx.Response) -> Task | None:
        return final(response) if response.status_code == 200 else None

    return Call("DELETE", _task(task_id, "cancel"), answer, repeatable=False)


def retry(task_id: str) -> Call[None]:
    return Call("POST", _task(task_id, "retry"), lambda _: None, repeatable=False)


def set_priority(task_id: str, priority: int) -> Call[Task]:
    headers = {"Content-Type": "application/json"}
    path = f"{BASE}/tasks/{_segment(task_id)}"
    return Call("PATCH", path, _reader(Task), body=_json({"priority": priority}), headers=headers)


def task_types() -> Call[list[TaskType]]:
    return Call("GET", f"{BASE}/task-types", _reader(list[TaskType]))


def task_type(name: str) -> Call[TaskType]:
    return Call("GET", f"{BASE}/task-types/{_segment(name)}", _reader(TaskType))


def services() -> Call[Services]:
    return Call("GET", f"{BASE}/services", _reader(Services))


def create_key(
    name: str,
    projects: Sequence[str],
    *,
    role: str | None,
    scopes: Sequence[str] | None,
    expires_at: datetime | str | None,
    description: str,
) -> Call[NewApiKey]:
    """Not repeatable: the secret of a lost answer is lost."""
    body = {
        "name": name,
        "projects": list(projects),
        "role": role,
        "scopes": None if scopes is None else list(scopes),
        "expires_at": None if expires_at is None else _moment("expires_at", expires_at),
        "description": description,
    }
    given = {name: value for name, value in body.items() if value is not None}
    return Call("POST", f"{BASE}/keys", _reader(NewApiKey), body=_json(given), headers=_JSON_BODY, repeatable=False)


def list_keys() -> Call[list[ApiKey]]:
    answer = _reader(ApiKeys)
    return Call("GET", f"{BASE}/keys", lambda response: answer(response).keys)


def rotate_key(key_id: str, overlap: timedelta) -> Call[NewApiKey]:
    """Not repeatable: each makes another secret."""
    body = {"overlap_seconds": int(overlap.total_seconds())}
    path = f"{BASE}/keys/{_segment(key_id)}/rotate"
    return Call("POST", path, _reader(NewApiKey), body=_json(body), headers=_JSON_BODY, repeatable=False)


def revoke_key(key_id: str) -> Call[None]:
    """Not repeatable: of the second the service would say that there is no such key."""
    return Call("DELETE", f"{BASE}/keys/{_segment(key_id)}", lambda _: None, repeatable=False)


def grant_upload(project_id: str, announcement: Mapping[str, Any]) -> Call[Upload]:
    """Repeating it leaves a grant behind that expires."""
    body = {"project_id": project_id, **announcement}
    return Call("POST", f"{BASE}/uploads", _reader(Upload), body=_json(body), headers=_JSON_BODY)


def complete_upload(project_id: str, upload_id: str) -> Call[None]:
    path = f"{BASE}/uploads/{_segment(upload_id)}/complete"
    return Call("POST", path, lambda _: None, body=_json({"project_id": project_id}), headers=_JSON_BODY)


def delete_upload(project_id: str, upload_id: str) -> Call[None]:
    """Not repeatable: of the second the service would say that there is no such upload."""
    path, params = f"{BASE}/uploads/{_segment(upload_id)}", {"project_id": project_id}
    return Call("DELETE", path, lambda _: None, params=params, repeatable=False)


def put_delay(tries: int, outcome: httpx.Response | httpx.RequestError) -> float | None:
    """Seconds until a PUT to the store is tried again, None to give up. It creates only, so repeating it is safe."""
    return delay(_PUT, tries, outcome)


def events_path(task_id: str) -> str:
    return _task(task_id, "events")


def project_events_path(project_id: str) -> str:
    return f"{BASE}/projects/{_segment(project_id)}/events"


def log_path(task_id: str) -> str:
    return _task(task_id, "logs")


def delay(call: Call[Any], tries: int, outcome: httpx.Response | httpx.RequestError) -> float | None:
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
        if re.fullmatch(r"[0-9]+", asked):
            return min(float(asked), LONGEST_DELAY)
    elif not (call.repeatable or isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout)):
        return None
    return min(0.25 * 2.0 ** (tries - 1), LONGEST_DELAY) * random.uniform(0.75, 1.25)


_PUT = Call[None]("PUT", "", lambda _: None)
_JSON_BODY = {"Content-Type": "application/json"}


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the request cannot be written as JSON: {error}") from error


def _key(given: str | None) -> str:
    key = given or str(uuid.uuid4())
    if not re.fullmatch(r"[ -~]{1,255}", key):
        raise UsageError("the idempotency key has to be 1 to 255 printable ASCII characters")
    return key


def _moment(name: str, moment: datetime | str) -> str:
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        raise UsageError(f"{name} needs a time zone")
    return moment.isoformat()


def _task(task_id: str, what: str) -> str:
    return f"{BASE}/tasks/{_segment(task_id)}/{what}"


def _segment(text: str) -> str:
    """One segment of a path, which can be neither two nor the way up."""
    segment = quote(text, safe="", errors="replace")
    return segment.replace(".", "%2E") if segment in (".", "..") else segment


def _reader(kind: type[T]) -> Callable[[httpx.Response], T]:
    return lambda response: TypeAdapter(kind).validate_json(response.content)
