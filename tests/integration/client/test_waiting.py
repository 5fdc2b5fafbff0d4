"""Waiting is driven by events, and goes on without them: `wait`, `follow`, `run` and what `submit` returns."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from mediatask_client import AccessDenied, AsyncClient, Client, Submitted, TaskFailed, WaitTimeout
from mediatask_client.cli import app
from support.rest_service import KEY, Answer, Service, problem, task

SUBMIT, STATUS = "/api/v1/tasks/submit", "/api/v1/tasks/task-1/status"
EVENTS, PROJECT_EVENTS = "/api/v1/tasks/task-1/events", "/api/v1/projects/demo/events"
STREAM = {"Content-Type": "text/event-stream"}
ACCEPTED = Answer(202, {"task_id": "task-1", "status": "queued", "project_id": "demo", "queue_position": 1})


def event(kind: str, status: str = "processing", task_id: str = "task-1", **data: Any) -> bytes:
    data = {"task_id": task_id, "status": status, "attempt": 1, **data}
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def told(*events: bytes) -> Answer:
    return Answer(200, b"retry: 1000\n\n" + b"".join(events), STREAM)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, KEY) as client:
        yield client


def test_progress_comes_by_the_stream_and_the_end_is_asked_for(client: Client, service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task(progress=0.1)), Answer(200, task("completed", result={"metadata": {}})))
    service.on(
        "GET",
        EVENTS,
        told(event("progress", progress=0.1), event("progress", progress=0.6), event("completed", "completed")),
    )
    seen: list[float] = []
    done = client.wait("task-1", on_change=lambda state: seen.append(state.progress))
    assert seen == [0.1, 0.6, 1.0]
    assert done.result is not None
    assert len(service.asked("GET", STATUS)) == 2, "nothing was polled"
    assert service.asked("GET", EVENTS)[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize(
    "refusal",
    [
        problem(404, "no route"),
        problem(429, "full"),
        Answer(drop=True),
        Answer(200, b"<html>", {}),
        told(b"event: x\ndata: [\n\n"),
    ],
    ids=["older service", "no room", "lost", "another answer", "no event"],
)
def test_without_a_stream_it_asks(client: Client, service: Service, refusal: Answer) -> None:
    service.on("GET", STATUS, Answer(200, task()), Answer(200, task(progress=0.7)), Answer(200, task("completed")))
    service.on("GET", EVENTS, refusal)
    seen: list[float] = []
    client.wait("task-1", on_change=lambda state: seen.append(state.progress))
    assert seen == [0.5, 0.7, 1.0]
    assert len(service.asked("GET", EVENTS)) == 1


def test_a_stream_that_ends_is_made_again(client: Client, service: Service) -> None:
    service.on("GET", STATUS, *[Answer(200, task())] * 2, Answer(200, task("completed")))
    service.on(
        "GET",
        EVENTS,
        told(event("progress", progress=0.6), b'event: closed\ndata: {"reason":"draining"}\n\n'),
        told(event("completed", "completed")),
    )
    client.wait("task-1")
    assert len(service.asked("GET", EVENTS)) == 2


def test_tasks_of_a_project_share_one_stream(client: Client, service: Service) -> None:
    paths = {name: f"/api/v1/tasks/{name}/status" for name in ("task-1", "task-2", "task-3")}
    for name, path in paths.items():
        ended = [Answer(200, task("completed", task_id=name))]
        # The third ends before the stream has begun: no event tells.
        service.on("GET", path, *[Answer(200, task(task_id=name))] * (1 if name == "task-3" else 2), *ended)
    service.on(
        "GET",
        PROJECT_EVENTS,
        told(
            event("progress", task_id="task-2", progress=0.9),
            event("completed", "completed", task_id="stranger"),
            event("completed", "completed", task_id="task-1"),
            event("completed", "completed", task_id="task-2"),
        ),
    )
    seen = [(state.task_id, state.progress) for state in client.follow(paths)]
    assert [name for name, progress in seen if progress == 1.0] == ["task-3", "task-1", "task-2"]
    assert ("task-2", 0.9) in seen
    assert len(service.asked("GET", PROJECT_EVENTS)) == 1
    assert not any("stranger" in request.path for request in service.requests)


def test_an_end_that_the_answer_does_not_know_yet_is_not_missed(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status answers may be behind the events, and a project's stream goes on without telling the end again."""
    monkeypatch.setattr("mediatask_client.following.SILENCE", 60.0)
    service.on(
        "GET",
        "/api/v1/tasks/task-2/status",
        *[Answer(200, task(task_id="task-2"))] * 5,
        Answer(200, task("completed", task_id="task-2")),
    )
    service.on("GET", STATUS, *[Answer(200, task())] * 3, Answer(200, task("completed")))
    open_stream = told(event("completed", "completed"))
    open_stream.headers = {**STREAM, "Content-Length": "1000000"}
    service.on("GET", PROJECT_EVENTS, open_stream)
    service.on("GET", "/api/v1/tasks/task-2/events", problem(404, "no route"))
    began = time.monotonic()
    ended = [state.task_id for state in client.follow(["task-1", "task-2"]) if state.done]
    assert ended == ["task-1", "task-2"]
    assert time.monotonic() - began < 55, "it did not wait for the stream"


def test_time_is_up(client: Client, service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task()))
    with pytest.raises(WaitTimeout, match="task-1 not finished after"):
        client.wait("task-1", timeout=0.1)


# ---- submit and run


def test_what_submit_returns_can_be_waited_for(client: Client, service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    service.on("GET", STATUS, Answer(200, task("completed")))
    service.on("GET", EVENTS, told(event("completed", "completed")))
    service.on("DELETE", "/api/v1/tasks/task-1/cancel", Answer(200, task("cancelled")))
    submitted = client.submit("demo", "generate_image", {"prompt": "x"})
    assert isinstance(submitted, Submitted)
    assert submitted.raw() == ACCEPTED.body
    assert submitted.wait(timeout=60).status == "completed"
    assert [each.kind for each in submitted.stream()] == ["completed"]
    assert submitted.get().done
    assert submitted.cancel().status == "cancelled"


async def test_the_asynchronous_client_does_the_same(service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    service.on("GET", STATUS, Answer(200, task()), Answer(200, task("completed")))
    service.on("GET", EVENTS, told(event("progress", progress=0.9), event("completed", "completed")))
    async with AsyncClient(service.url, KEY) as client:
        submitted = await client.submit("demo", "generate_image", {"prompt": "x"})
        assert (await submitted.wait()).status == "completed"
        assert [each.kind async for each in submitted.stream()] == ["progress", "completed"]
        assert (await client.run("generate_image", {"prompt": "x"}, project_id="demo", priority=1)).done
    assert service.asked("POST", SUBMIT)[1].body["priority"] == 1


def test_run_returns_the_completed_task(client: Client, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    service.on("GET", STATUS, Answer(200, task()), Answer(200, task("completed")))
    service.on("GET", EVENTS, told(event("completed", "completed")))
    assert client.run("generate_image", {"prompt": "x"}, tags=["a"]).status == "completed"
    monkeypatch.setenv("MEDIATASK_PROJECT", "film")
    client.run("generate_image", {"prompt": "x"})
    assert [request.body["project_id"] for request in service.asked("POST", SUBMIT)] == ["default", "film"]


def test_run_of_a_task_that_fails_raises_with_its_state(client: Client, service: Service) -> None:
    service.on("POST", SUBMIT, ACCEPTED)
    service.on("GET", STATUS, Answer(200, task("failed", error={"code": "InvalidInput", "message": "no picture"})))
    with pytest.raises(TaskFailed, match="InvalidInput: no picture") as raised:
        client.run("generate_image", {"prompt": "x"})
    assert raised.value.task.status == "failed"


# ---- a project's stream


def test_a_projects_stream_tells_each_event_once(client: Client, service: Service) -> None:
    def numbered(id: str, kind: str, event_id: str) -> bytes:
        return f"id: {id}\n".encode() + event(kind, event_id=event_id)

    service.on(
        "GET",
        PROJECT_EVENTS,
        told(numbered("7", "started", "u.0.1.1.0.0"), event("progress", event_id="u.0.1.2.500.17")),
        told(
            event("progress", event_id="u.0.1.2.500.17"),
            event("progress", event_id="u.0.1.2.90.0"),  # told late by a replica that knows the resource alone
            numbered("9", "completed", "u.0.2.3.0.0"),
        ),
        problem(403, "no more"),
    )
    kinds: list[str] = []
    with pytest.raises(AccessDenied, match="no more"):
        kinds.extend(each.kind for each in client.stream_project("demo", last_id="5"))
    assert kinds == ["started", "progress", "completed"]
    assert [request.headers["last-event-id"] for request in service.asked("GET", PROJECT_EVENTS)] == ["5", "7", "9"]


def test_the_command_prints_a_projects_events(service: Service) -> None:
    service.on("GET", PROJECT_EVENTS, told(event("started"), event("progress", progress=0.5)), problem(403, "over"))
    words = ["events", "--project", "demo", "--url", service.url, "--api-key", KEY]
    shown = CliRunner().invoke(app, words)
    assert [line.split()[:2] for line in shown.stdout.splitlines()] == [["started", "task-1"], ["progress", "task-1"]]
    assert (shown.exit_code, "over" in shown.stderr) == (1, True)
