"""Request ids, and the line of the audit log for each change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_api.auth.audit import LOGGER

from .conftest import PROMPT, World
from .test_process import process

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-Id": "abc-123"}, "abc-123"),
        ({"X-Request-Id": "a" * 128}, "a" * 128),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X-Request-Id": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "mine"),
        ({}, None),
        ({"X-Request-Id": "a" * 129}, None),
        ({"X-Request-Id": 'a"\\n{}'}, None),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"traceparent": f"ff-{TRACE}-00f067aa0ba902b7-01"}, None),
    ],
)
@pytest.mark.parametrize("path", ["/health/live", "/stats", "/nowhere", "/tasks/x/status"])
async def test_every_answer_has_a_request_id(
    world: World, path: str, headers: dict[str, str], expected: str | None
) -> None:
    answer = await world.api.get(path, headers=headers)
    given = answer.headers["x-request-id"]
    assert given == expected if expected else re.fullmatch("[0-9a-f]{32}", given)
    assert ("traceparent" in answer.headers) == (
        TRACE in headers.get("traceparent", "ff")[:36] and expected is not None
    )
    if "traceparent" in answer.headers:
        version, trace, span, flags = answer.headers["traceparent"].split("-")
        assert (version, trace, flags) == ("00", TRACE, "01")
        assert span != "00f067aa0ba902b7"


async def test_an_unexpected_failure_has_one_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(world.services.reader, "counts", broken)
    answer = await world.api.get("/stats", headers={"X-Request-Id": "abc"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc")


def lines(log: Path) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry.get("logger") == LOGGER]


def test_each_change_has_a_line_that_says_who_what_which_from_where_and_what_came_of_it(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    with process(tmp_path, kubeconfig, namespace, MEDIATASK_LOG_LEVEL="ERROR") as (client, _, _running):
        client.headers.update({"X-Request-Id": "run-1", "User-Agent": "studio/1"})
        task_id = client.post("/api/v1/tasks/submit", json=PROMPT).json()["task_id"]
        client.get(f"/api/v1/tasks/{task_id}/status")
        client.post(f"/api/v1/tasks/{task_id}/retry")
        client.post("/api/v1/tasks/submit", content=b"{")
        wanted = {"name": "app", "projects": ["film"], "role": "viewer"}
        secret = client.post("/api/v1/keys", json=wanted).json()["key"]
        client.delete("/api/v1/keys/app")
        httpx.post(f"{client.base_url}/api/v1/tasks/submit", json=PROMPT, headers={"X-API-Key": "mtk_wrong"})
    written = lines(tmp_path / "api.log")
    told = [(line["action"], line["status"], line["outcome"]) for line in written]
    assert told == [
        ("POST /api/v1/tasks/submit", 202, "done"),
        ("POST /api/v1/tasks/{task_id}/retry", 409, "refused"),
        ("POST /api/v1/tasks/submit", 400, "refused"),
        ("POST /api/v1/keys", 201, "done"),
        ("DELETE /api/v1/keys/{key_id}", 204, "done"),
    ]
    for line in written:
        assert line["caller"].startswith("key:test-")
        assert (line["client"], line["user_agent"], line["request_id"]) == ("127.0.0.1", "studio/1", "run-1")
    assert (written[0]["task"], written[0]["project"]) == (task_id, "film")
    assert written[1]["task"] == task_id
    assert [written[3]["key"], written[4]["key"]] == ["app", "app"]
    text = (tmp_path / "api.log").read_text()
    assert client.headers["X-API-Key"] not in text
    assert secret not in text
