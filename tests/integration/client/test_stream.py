"""`stream()` against a service that drops, refuses and tells as told."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from mediatask_client import AsyncClient, Client, NotFound, UnexpectedAnswer
from mediatask_client.cli import app
from support.rest_service import KEY, Answer, Service, problem, task

EVENTS = "/api/v1/tasks/task-1/events"
STREAM = {"Content-Type": "text/event-stream"}


def event(kind: str, id: str | None, **data: Any) -> bytes:
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {kind}\ndata: {json.dumps({'task_id': 'task-1', **data})}\n\n".encode()


def told(*events: bytes) -> Answer:
    return Answer(200, b"retry: 1000\n\n" + b": heartbeat\n\n".join(events), STREAM)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, KEY) as client:
        yield client


def dropping(service: Service) -> None:
    """Tells a task over four connections, one of which is refused and one lost."""
    service.on(
        "GET",
        EVENTS,
        told(event("queued", "1"), event("started", "2", status="processing")),
        Answer(drop=True),
        problem(503, "busy"),
        told(event("progress", "3", progress=0.5, new_field=1), event("closed", None, reason="draining")),
        told(event("log", None, line="hello"), event("completed", "4", status="completed", progress=1.0)),
    )


def test_a_lost_connection_goes_on_after_the_last_event(client: Client, service: Service) -> None:
    dropping(service)
    events = list(client.stream("task-1", include=["log"]))
    assert [each.kind for each in events] == ["queued", "started", "progress", "log", "completed"]
    asked = service.asked("GET", EVENTS)
    assert [request.headers.get("last-event-id") for request in asked] == [None, "2", "2", "2", "3"]
    assert asked[0].query == {"include": "log"}
    assert events[-1].ended
    assert events[2].raw()["new_field"] == 1, "what a newer service adds is kept"


async def test_the_asynchronous_client_does_the_same(service: Service) -> None:
    dropping(service)
    async with AsyncClient(service.url, KEY) as client:
        assert [each.id async for each in client.stream("task-1")] == ["1", "2", "3", None, "4"]


def test_who_has_seen_the_end_gets_nothing_more(client: Client, service: Service) -> None:
    service.on("GET", EVENTS, Answer(204, b""))
    assert list(client.stream("task-1", last_id="4")) == []
    assert service.asked("GET", EVENTS)[0].headers["last-event-id"] == "4"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(lambda: problem(404, "no task"), NotFound), (lambda: Answer(200, b"<html>", {}), UnexpectedAnswer)],
    ids=["no such task", "another service"],
)
def test_what_is_no_stream_is_an_error(
    client: Client, service: Service, answer: Callable[[], Answer], error: type[Exception]
) -> None:
    service.on("GET", EVENTS, answer())
    with pytest.raises(error):
        list(client.stream("task-1"))


def test_previews_are_pictures_for_programs_and_for_people(client: Client, service: Service) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 16), "red").save(picture, "JPEG")
    seen = {"progress": 0.5, "current_step": "drawing"}
    image = base64.b64encode(picture.getvalue()).decode()
    service.on("GET", "/api/v1/tasks/task-1/status", Answer(200, task()))
    service.on(
        "GET",
        EVENTS,
        told(
            event("preview", "3", **seen, image=image),
            event("preview", "4", **seen, image="not base64"),
            event("preview", "5", **seen, image=base64.b64encode(b"no picture").decode()),
            event("completed", "6", status="completed", progress=1.0),
        ),
    )
    events = list(client.stream("task-1", include=["preview"]))
    assert service.asked("GET", EVENTS)[0].query == {"include": "preview"}
    assert [each.picture for each in events] == [picture.getvalue(), None, b"no picture", None]
    words = ["events", "task-1", "--preview", "--url", service.url, "--api-key", KEY]
    colours = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color", "COLUMNS": "80"}
    shown = CliRunner(env=colours).invoke(app, words)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert [line.split()[:2] for line in lines if "\u2580" not in line] == [["preview", "50%"]] * 3 + [
        ["completed", "100%"]
    ]
    assert sum("\u2580" in line for line in lines) == 16, "two pixels to a character, 64 of them wide"
    as_json = CliRunner(env=colours).invoke(app, [*words, "-o", "json"])
    assert json.loads(as_json.output.splitlines()[0])["image"] == image


def test_the_command_prints_a_line_for_each_event_and_exits_by_the_end(service: Service) -> None:
    service.on("GET", "/api/v1/tasks/task-1/status", Answer(200, task()))
    service.on(
        "GET",
        EVENTS,
        told(
            event("progress", "3", progress=0.5, current_step="draw\x1b[2Jing"),
            event("failed", "4", status="failed", progress=0.5),
        ),
    )
    words = ["events", "task-1", "--url", service.url, "--api-key", KEY]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 1
    assert "progress    50%" in shown.output
    assert "\x1b" not in shown.output
    as_json = CliRunner().invoke(app, [*words, "-o", "json"])
    assert [json.loads(line)["id"] for line in as_json.output.splitlines()] == ["3", "4"]
