"""The clients against a service that answers as told."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_client import (
    AccessDenied,
    APIError,
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    NotCompleted,
    NotFound,
    TaskFailed,
    Unavailable,
    UsageError,
    WaitTimeout,
)
from mediatask_client.rest import calls
from support.rest_service import KEY, Answer, Request, Service, problem, task

SUBMIT = "/api/v1/tasks/submit"
STATUS = "/api/v1/tasks/task-1/status"
ACCEPTED = Answer(202, {"task_id": "task-1", "status": "queued", "project_id": "demo", "queue_position": 1})


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, KEY) as client:
        yield client


def completed(service: Service, content: bytes, **fields: Any) -> dict[str, Any]:
    """A finished task whose media the service has."""
    digest = hashlib.sha256(content).hexdigest()
    service.on("GET", "/media/image.png", Answer(200, content, {"Content-Type": "image/png"}))
    artifact = {
        "name": "image.png",
        "url": f"{service.url}/media/image.png?expires=1&signature=s",
        "bytes": len(content),
        "sha256": digest,
        "content_type": "image/png",
    } | fields
    return task("completed", result={"media_url": artifact["url"], "metadata": {}, "artifacts": [artifact]})


# ---- submit


def test_submit_sends_the_contracts_fields(client: Client, service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    submitted = client.submit("demo", "generate_image", {"prompt": "x"}, priority=1, metadata={"user_id": "u"})
    assert (submitted.task_id, submitted.queue_position) == ("task-1", 1)
    (request,) = service.requests
    assert request.headers["x-api-key"] == KEY
    assert request.body == {
        "project_id": "demo",
        "task_type": "generate_image",
        "task_data": {"prompt": "x"},
        "priority": 1,
        "metadata": {"user_id": "u"},
    }


@pytest.mark.parametrize(
    "first", [Answer(drop=True), problem(503, "Kubernetes is away"), problem(502, "bad gateway"), problem(429, "slow")]
)
def test_a_repeated_submit_carries_the_same_key(client: Client, service: Service, first: Answer) -> None:
    service.on("POST", SUBMIT, first, ACCEPTED)
    client.submit("demo", "generate_image", {"prompt": "x"})
    keys = [request.headers["idempotency-key"] for request in service.asked("POST", SUBMIT)]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_two_submits_have_two_keys_and_a_given_key_is_kept(client: Client, service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    for key in (None, None, "mine"):
        client.submit("demo", "generate_image", {"prompt": "x"}, idempotency_key=key)
    one, two, three = (request.headers["idempotency-key"] for request in service.requests)
    assert one != two
    assert three == "mine"


# ---- retries and errors


def response(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers)


def test_when_a_call_is_tried_again() -> None:
    safe, unsafe = calls.status("t"), calls.retry("t")
    lost = httpx.ReadTimeout("lost")
    for outcome in (lost, response(500), response(502), response(504)):
        assert calls.delay(safe, 1, outcome) is not None
        assert calls.delay(unsafe, 1, outcome) is None
    for outcome in (httpx.ConnectError("refused"), response(429), response(503)):
        assert calls.delay(safe, 1, outcome) is not None
        assert calls.delay(unsafe, 1, outcome) is not None
    for status in (400, 401, 404, 409, 501):
        assert calls.delay(safe, 1, response(status)) is None
    assert calls.delay(safe, calls.TRIES, lost) is None


def test_retry_after_is_honoured_within_reason() -> None:
    assert calls.delay(calls.status("t"), 1, response(503, **{"retry-after": "7"})) == 7
    assert calls.delay(calls.status("t"), 1, response(429, **{"retry-after": "3600"})) == calls.LONGEST_DELAY


def test_waits_grow() -> None:
    waits = [calls.delay(calls.status("t"), tries, response(503)) or 0 for tries in range(1, calls.TRIES)]
    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (400, InvalidRequest, ""),
        (413, InvalidRequest, "by URL"),
        (422, InvalidRequest, ""),
        (401, AccessDenied, "MEDIATASK_API_KEY"),
        (403, AccessDenied, "projects"),
        (404, NotFound, "mediatask list"),
        (409, Conflict, "mediatask get"),
        (501, APIError, ""),
    ],
)
def test_refusals_become_exceptions_with_the_next_step(
    client: Client, service: Service, status: int, kind: type[APIError], hint: str
) -> None:
    service.on("GET", STATUS, problem(status, "the detail"))
    with pytest.raises(kind, match="the detail") as raised:
        client.get("task-1")
    assert type(raised.value) is kind
    assert raised.value.status == status
    assert raised.value.problem["title"] == "refused"
    assert hint in str(raised.value)


def test_each_fault_of_a_request_is_named(client: Client, service: Service) -> None:
    errors = [{"loc": ["body", "task_data", "width"], "msg": "must be a multiple of 8"}]
    service.on("POST", SUBMIT, problem(400, "invalid", errors=errors))
    with pytest.raises(InvalidRequest, match=r"\n  task_data\.width: must be a multiple of 8") as raised:
        client.submit("demo", "generate_image", {"width": 7})
    assert raised.value.errors == errors


def test_an_answer_that_is_no_problem_document(client: Client, service: Service) -> None:
    service.on("GET", STATUS, Answer(403, b"<html>"))
    with pytest.raises(AccessDenied, match=r"Forbidden \(HTTP 403\)"):
        client.get("task-1")


def test_a_service_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "TRIES", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with Client(url, KEY) as client, pytest.raises(Unavailable, match=f"{url} does not answer.*mediatask up"):
            client.get("task-1")


# ---- follow and wait


def test_wait_tells_each_change_once(client: Client, service: Service) -> None:
    states = [task("queued"), task("queued"), task(progress=0.2), task(progress=0.2), task("completed")]
    service.on("GET", STATUS, *(Answer(200, state) for state in states))
    seen: list[tuple[str, float]] = []
    done = client.wait("task-1", on_change=lambda state: seen.append((state.status, state.progress)))
    assert seen == [("queued", 0.5), ("processing", 0.2), ("completed", 1.0)]
    assert done.raise_for_status() is done


def test_follow_goes_on_until_all_have_ended(client: Client, service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task("completed")))
    other = [task(task_id="task-2"), task("cancelled", task_id="task-2")]
    service.on("GET", "/api/v1/tasks/task-2/status", *(Answer(200, state) for state in other))
    seen = [(state.task_id, state.status) for state in client.follow(["task-1", "task-2"])]
    assert seen == [("task-1", "completed"), ("task-2", "processing"), ("task-2", "cancelled")]
    assert len(service.asked("GET", STATUS)) == 1, "an ended task is not asked for again"


def test_wait_ends_in_time(client: Client, service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task()))
    with pytest.raises(WaitTimeout, match="the work continues"):
        client.wait("task-1", timeout=0.1)


def test_a_failed_task_says_why(client: Client, service: Service) -> None:
    error = {"code": "InvalidInput", "message": "no such picture", "retryable": False}
    service.on("GET", STATUS, Answer(200, task("failed", error=error)))
    with pytest.raises(TaskFailed, match="task-1 failed: InvalidInput: no such picture"):
        client.wait("task-1").raise_for_status()


def test_fields_that_are_not_known_yet_are_kept(client: Client, service: Service) -> None:
    answer = task("completed", cost={"amount": "1", "saved": 2}, completed_at="2026-01-01T00:00:00Z")
    service.on("GET", STATUS, Answer(200, answer))
    assert client.get("task-1").raw() == answer


# ---- lists, cancel, retry, logs


def test_list_follows_the_cursor(client: Client, service: Service) -> None:
    path = "/api/v1/projects/demo/tasks"
    pages = [["c", "b"], ["a"]]
    service.on(
        "GET",
        path,
        *(
            Answer(
                200,
                {
                    "tasks": [task(task_id=name) for name in names],
                    "total": 3,
                    "page": number,
                    "limit": 2,
                    "pages": 2,
                    "next_cursor": "after-b" if number == 1 else None,
                },
            )
            for number, names in enumerate(pages, 1)
        ),
    )
    found = client.list("demo", status="processing", tag="night")
    assert [task.task_id for task in found] == ["c", "b", "a"]
    queries = [request.query for request in service.asked("GET", path)]
    first = {"page": "1", "limit": "100", "status": "processing", "tag": "night"}
    assert queries == [first, {**first, "cursor": "after-b"}]


def test_a_submit_with_tags_and_a_start(client: Client, service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    start = datetime(2027, 1, 31, 6, tzinfo=timezone(timedelta(hours=1)))
    client.submit("demo", "generate_image", {}, tags=("night",), not_before=start)
    client.submit("demo", "generate_image", {}, not_before="2027-01-31T06:00:00Z")
    first, second = (request.body for request in service.asked("POST", SUBMIT))
    assert (first["tags"], first["not_before"]) == (["night"], "2027-01-31T06:00:00+01:00")
    assert second["not_before"] == "2027-01-31T06:00:00Z"
    with pytest.raises(UsageError, match="time zone"):
        client.submit("demo", "generate_image", {}, not_before=datetime(2027, 1, 31))


def test_another_priority(client: Client, service: Service) -> None:
    service.on("PATCH", "/api/v1/tasks/task-1", Answer(200, task("queued", priority=0)))
    assert client.set_priority("task-1", 0).status == "queued"
    assert service.requests[-1].body == {"priority": 0}


@pytest.mark.parametrize("at_once", [True, False])
def test_cancel(client: Client, service: Service, at_once: bool) -> None:
    path = "/api/v1/tasks/task-1/cancel"
    service.on("DELETE", path, Answer(200, task("cancelled")) if at_once else Answer(202, {"task_id": "task-1"}))
    service.on("GET", STATUS, Answer(200, task("processing")))
    assert client.cancel("task-1").status == ("cancelled" if at_once else "processing")


def test_retry_is_not_repeated_when_its_effect_is_unknown(client: Client, service: Service) -> None:
    path = "/api/v1/tasks/task-1/retry"
    service.on("POST", path, problem(500, "broken"))
    with pytest.raises(APIError, match="broken"):
        client.retry("task-1")
    assert len(service.asked("POST", path)) == 1


def test_logs_line_by_line(client: Client, service: Service) -> None:
    service.on(
        "GET", "/api/v1/tasks/task-1/logs", Answer(200, "one\ntwo äöü\n".encode(), {"Content-Type": "text/plain"})
    )
    assert list(client.logs("task-1", follow=True)) == ["one", "two äöü"]
    assert service.requests[0].query == {"follow": "true"}


def test_ids_cannot_lead_elsewhere(client: Client, service: Service) -> None:
    with pytest.raises(NotFound):
        client.get("../../health?x=")
    assert service.requests[0].path == "/api/v1/tasks/..%2F..%2Fhealth%3Fx%3D/status"


# ---- downloads


def test_download_into_a_folder_and_to_a_file(client: Client, service: Service, tmp_path: Path) -> None:
    service.on("GET", STATUS, Answer(200, completed(service, b"picture")))
    assert client.download("task-1", tmp_path) == tmp_path / "task-1.png"
    assert client.download("task-1", tmp_path / "new" / "my.png").read_bytes() == b"picture"
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["my.png", "task-1.png"]


def test_the_key_does_not_travel_to_the_store(client: Client, service: Service, tmp_path: Path) -> None:
    def moved(request: Request) -> Answer:
        return Answer(302, b"", {"Location": f"{service.url}/elsewhere"})

    state = completed(service, b"picture")
    service.on("GET", STATUS, Answer(200, state))
    service.on("GET", "/media/image.png", moved)
    service.on("GET", "/elsewhere", Answer(200, b"picture"))
    client.download("task-1", tmp_path)
    for path in ("/media/image.png", "/elsewhere"):
        assert "x-api-key" not in service.asked("GET", path)[0].headers


def test_a_download_that_is_not_what_was_published_leaves_nothing(
    client: Client, service: Service, tmp_path: Path
) -> None:
    service.on("GET", STATUS, Answer(200, completed(service, b"picture", sha256="0" * 64)))
    with pytest.raises(Unavailable, match="is damaged"):
        client.download("task-1", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "kind"), [("processing", NotCompleted), ("failed", TaskFailed)])
def test_nothing_to_download(
    client: Client, service: Service, tmp_path: Path, status: str, kind: type[Exception]
) -> None:
    service.on("GET", STATUS, Answer(200, task(status)))
    with pytest.raises(kind, match="task-1"):
        client.download("task-1", tmp_path)


# ---- asyncio


async def test_the_async_client_does_the_same(service: Service, tmp_path: Path) -> None:
    service.on("POST", SUBMIT, Answer(drop=True), ACCEPTED)
    service.on("GET", STATUS, Answer(200, task()), Answer(200, completed(service, b"picture")))
    service.on("GET", "/api/v1/tasks/task-1/logs", Answer(200, b"one\ntwo\n"))
    async with AsyncClient(service.url, KEY) as client:
        submitted = await client.submit("demo", "generate_image", {"prompt": "x"})
        done = await client.wait(submitted.task_id)
        assert done.status == "completed"
        assert (await client.download("task-1", tmp_path)).read_bytes() == b"picture"
        assert [line async for line in client.logs("task-1")] == ["one", "two"]
        with pytest.raises(NotFound):
            await client.get("other")
