"""Credentials, time limits and the HTTP client: what travels with which request."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mediatask_client import (
    AsyncClient,
    Client,
    Conflict,
    MediaTaskError,
    NotConfigured,
    NotFound,
    Unavailable,
    UsageError,
)
from mediatask_client.cli import app
from support.rest_service import KEY, Answer, Request, Service, problem, task

STATUS, EVENTS, LOGS = (f"/api/v1/tasks/task-1/{what}" for what in ("status", "events", "logs"))
KEYS = "/api/v1/keys"


@pytest.fixture(autouse=True)
def _answers(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDIATASK_URL", "MEDIATASK_API_KEY", "MEDIATASK_TOKEN", "MEDIATASK_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    service.on("GET", STATUS, Answer(200, task("completed")))
    service.on("GET", LOGS, Answer(200, b"a line\n"))
    service.on("GET", EVENTS, Answer(204, b""))


def sent(service: Service) -> list[str | None]:
    assert not any("x-api-key" in request.headers for request in service.requests)
    return [request.headers.get("authorization") for request in service.requests]


# ---- tokens


def test_a_token_travels_with_every_request(service: Service) -> None:
    with Client(service.url, token="abc.def\n") as client:
        client.get("task-1")
        assert list(client.logs("task-1")) == ["a line"]
        assert list(client.stream("task-1")) == []
        assert "abc" not in repr(client.connection)
    assert sent(service) == ["Bearer abc.def"] * 3


def test_a_file_is_read_anew_as_the_kubelet_changes_it(service: Service, tmp_path: Path) -> None:
    """A volume's file is a link into a folder whose name changes."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"token-{name}")
    (tmp_path / "data").symlink_to("one")
    with Client(service.url, token=tmp_path / "data" / "token") as client:
        client.get("task-1")
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", tmp_path / "data")
        client.get("task-1")
        (tmp_path / "data").unlink()
        with pytest.raises(NotConfigured, match="cannot be read from"):
            client.get("task-1")
    assert sent(service) == ["Bearer token-one", "Bearer token-two"]


async def test_a_function_gives_the_token_for_each_request(service: Service) -> None:
    tokens = iter(["one", "two"])

    async def fresh() -> str:
        return next(tokens)

    with Client(service.url, token=lambda: "plain") as client:
        client.get("task-1")
    async with AsyncClient(service.url, token=fresh) as asynchronous:
        await asynchronous.get("task-1")
        await asynchronous.get("task-1")
    assert sent(service) == ["Bearer plain", "Bearer one", "Bearer two"]
    with Client(service.url, token=fresh) as client, pytest.raises(UsageError, match="AsyncClient"):  # type: ignore[arg-type]
        client.get("task-1")


def test_the_command_line_takes_a_token_from_the_environment(service: Service, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    for name, value in (("MEDIATASK_TOKEN_FILE", str(tmp_path / "token")), ("MEDIATASK_TOKEN", "from-env")):
        done = CliRunner().invoke(app, ["get", "task-1"], env={"MEDIATASK_URL": service.url, name: value})
        assert done.exit_code == 0, done.output
    assert sent(service) == ["Bearer from-file", "Bearer from-env"]


@pytest.mark.parametrize("token", ["a b", "", "tökän", "a\nb"])
def test_a_token_that_is_none_is_not_shown(service: Service, tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    with Client(service.url, token=tmp_path / "token") as client, pytest.raises(NotConfigured, match="token") as raised:
        client.get("task-1")
    assert not token or token not in str(raised.value)
    assert not service.requests


def test_a_key_and_a_token_are_one_too_many(service: Service) -> None:
    with pytest.raises(NotConfigured, match="leave one out"):
        Client(service.url, KEY, token="abc")


# ---- the HTTP client and time limits


def completed(service: Service, content: bytes) -> dict[str, Any]:
    service.on("GET", "/media/a.png", Answer(200, content))
    digest = hashlib.sha256(content).hexdigest()
    file = {"name": "a.png", "url": f"{service.url}/media/a.png", "bytes": 1, "sha256": digest, "content_type": "x/y"}
    return task("completed", result={"artifacts": [file]})


def test_a_given_client_is_used_and_left_open(service: Service, tmp_path: Path) -> None:
    service.on("GET", STATUS, Answer(200, completed(service, b"picture")))
    with httpx.Client(headers={"X-Studio": "one"}, auth=("user", "password")) as http:
        with Client(service.url, KEY, http_client=http) as client:
            client.download("task-1", tmp_path)
        assert not http.is_closed
    status, media = service.requests
    assert (status.headers["x-studio"], status.headers["x-api-key"]) == ("one", KEY)
    assert "authorization" not in status.headers
    assert not {"x-api-key", "authorization"} & media.headers.keys(), "no credential travels to the store"


async def test_an_asynchronous_client_is_given_alike(service: Service) -> None:
    async with httpx.AsyncClient() as http:
        async with AsyncClient(service.url, KEY, http_client=http) as client:
            assert (await client.get("task-1")).done
        assert not http.is_closed


def test_a_client_with_one_connection_can_wait(service: Service) -> None:
    """The stream takes the only one, and a state has to be asked for."""
    event = json.dumps({"task_id": "task-1", "status": "processing", "attempt": 2})
    stream = Answer(200, f"event: started\ndata: {event}\n\n".encode(), {"Content-Type": "text/event-stream"})
    service.on("GET", EVENTS, stream)
    service.on("GET", STATUS, *[Answer(200, task())] * 2, Answer(200, task("completed")))
    limits = httpx.Limits(max_connections=1)
    with httpx.Client(limits=limits, timeout=httpx.Timeout(30, pool=0.01)) as http:
        assert Client(service.url, KEY, http_client=http).wait("task-1").done


def test_a_time_limit_is_for_each_try(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediatask_client.rest.calls.TRIES", 1)
    over = threading.Event()

    def slow(request: Request) -> Answer:
        over.wait(30)
        return Answer(200, task())

    service.on("GET", STATUS, slow)
    with Client(service.url, KEY, timeout=0.05) as client, pytest.raises(Unavailable, match="does not answer"):
        client.get("task-1")
    over.set()


# ---- request ids


@pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (503, Unavailable)])
def test_errors_name_the_request(
    service: Service, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[MediaTaskError]
) -> None:
    monkeypatch.setattr("mediatask_client.rest.calls.TRIES", 1)
    refused = problem(status, "not now")
    refused.headers["X-Request-Id"] = "req-7"
    service.on("GET", STATUS, refused)
    with Client(service.url, KEY) as client, pytest.raises(kind, match="req-7") as raised:
        client.get("task-1")
    assert raised.value.request_id == "req-7"


# ---- keys


def key(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "projects": ["film"], "role": "writer", "scopes": ["tasks:read"], "description": "", **more}


async def test_keys_are_managed_over_rest(service: Service) -> None:
    service.on("POST", KEYS, Answer(201, key("app", key="mtk_secret")))
    service.on("GET", KEYS, Answer(200, {"keys": [key("app", expires_at="2027-01-31T00:00:00Z")]}))
    service.on("POST", f"{KEYS}/app/rotate", Answer(200, key("app", key="mtk_other")))
    service.on("DELETE", f"{KEYS}/app", Answer(204, b""))
    with Client(service.url, KEY) as client:
        made = client.create_key("app", ["film"], role="writer", expires_at="2027-01-31T00:00:00Z", description="it")
        assert (made.id, made.key, "mtk_secret" in repr(made)) == ("app", "mtk_secret", False)
        (listed,) = client.list_keys()
        assert listed.expires_at is not None
        assert client.rotate_key("app", overlap=timedelta(hours=1)).key == "mtk_other"
    async with AsyncClient(service.url, KEY) as asynchronous:
        await asynchronous.revoke_key("app")
    assert [request.body for request in service.requests] == [
        {
            "name": "app",
            "projects": ["film"],
            "role": "writer",
            "expires_at": "2027-01-31T00:00:00Z",
            "description": "it",
        },
        None,
        {"overlap_seconds": 3600},
        None,
    ]


def test_a_key_is_not_made_twice(service: Service) -> None:
    service.on("POST", KEYS, Answer(drop=True))
    with Client(service.url, KEY) as client, pytest.raises(Unavailable):
        client.create_key("app", ["film"], scopes=["tasks:read"])
    assert len(service.requests) == 1
    service.on("DELETE", f"{KEYS}/gone", problem(404, "no key"))
    with Client(service.url, KEY) as client, pytest.raises(NotFound):
        client.revoke_key("gone")
