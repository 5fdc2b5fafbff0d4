"""What callers may not send or do, by table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from mediatask_api.auth.authenticators import Authentication
from mediatask_api.auth.principal import Principal
from mediatask_common.access.roles import SCOPES, Grant
from mediatask_common.kube import TASKS

from .conftest import PROMPT, World
from .test_submit import fault

PUBLIC = "https://example.com/picture.png"
# A task type, its data with a URL in one place, and that place.
INPUTS: dict[str, tuple[str, Callable[[str], dict[str, Any]], list[str | int]]] = {
    "style_guide": ("generate_image", lambda url: {"prompt": "x", "style_guide": url}, ["style_guide"]),
    "reference_images": (
        "generate_image",
        lambda url: {"prompt": "x", "reference_images": [PUBLIC, url]},
        ["reference_images", 1],
    ),
    "storyboard_images": (
        "generate_video",
        lambda url: {"scene_description": "x", "storyboard_images": [url]},
        ["storyboard_images", 0],
    ),
    "character_voice_profile": (
        "process_audio",
        lambda url: {"text": "x", "character_voice_profile": url},
        ["character_voice_profile"],
    ),
}
BAD_URLS = [
    "http://10.0.0.1/",
    "http://[::1]/x",
    "http://169.254.169.254/latest",
    "http://168.63.129.16/",
    "http://localhost/x",
    "http://a.localhost:80/",
    "http://0x7f.1/x",
    "https://user:pw@example.com/",
    "https://user@example.com/",
    "https://example.com:0/x",
    "https://example.com:99999/",
    "upload://abc",
    "ftp://example.com/",
    "https://exam\u0000ple.com/",
    "https://example.com/\x1b",
]


@pytest.mark.parametrize("field", INPUTS)
async def test_input_urls_that_lead_nowhere_good_are_refused_at_submit(world: World, field: str) -> None:
    task_type, data, place = INPUTS[field]
    for url in BAD_URLS:
        answer = await world.api.post("/tasks/submit", json={**PROMPT, "task_type": task_type, "task_data": data(url)})
        assert answer.status_code == 400, url
        wanted = ["body"] if "\0" in url else ["body", "task_data", *place]
        assert [error["loc"] for error in fault(answer)["errors"]] == [wanted], url
    assert (await world.kube.list(TASKS, world.namespace))["items"] == []
    for url in (PUBLIC, "http://example.com:8080/a?b=c#d", "https://8.8.8.8/", "https://b\u00fccher.example/\u00fc"):
        assert await world.submit(task_type=task_type, task_data=data(url))


@pytest.mark.parametrize("url", ["http://localhost/", "https://LOCALHOST./x", "https://x.org/\0", "https://x.org:0/"])
async def test_callbacks_that_lead_nowhere_good_are_refused(world: World, url: str) -> None:
    answer = await world.api.post("/tasks/submit", json={**PROMPT, "callback_url": url})
    assert answer.status_code == 400
    assert fault(answer)["errors"][0]["loc"] == (["body"] if "\0" in url else ["body", "callback_url"])


def raw(metadata: str) -> bytes:
    """A submit with this text as a value in its metadata."""
    return orjson.dumps({**PROMPT, "metadata": {"a": ["VALUE"]}}).replace(b'"VALUE"', metadata.encode())


@pytest.mark.parametrize(
    "value", [f"{2**63}", f"{2**64 - 1}", f"{10**30}", f"{-(2**63) - 1}", "NaN", "-Infinity", "1e400"]
)
async def test_numbers_that_not_every_reader_keeps_are_refused(world: World, value: str) -> None:
    answer = await world.api.post("/tasks/submit", content=raw(value))
    assert answer.status_code == 400
    [error] = fault(answer)["errors"]
    assert error["loc"] == ["body"]
    if value.lstrip("-").isdigit():
        assert "metadata.a.0" in error["msg"], "the place is named"


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e300, 0.1])
async def test_numbers_that_every_reader_keeps_come_back_as_they_are(world: World, value: float) -> None:
    task_id = await world.submit(metadata={"a": value})
    assert (await world.api.get(f"/tasks/{task_id}/status")).json()["metadata"] == {"a": value}


@pytest.mark.parametrize(
    "changes",
    [
        {"project_id": "a\0"},
        {"task_type": "test_prompt\0"},
        {"task_data": {"prompt_template": "a\0b"}},
        {"task_data": {"prompt_template": "x", "test_parameters": {"a": ["\0"]}}},
        {"metadata": {"a": "\0"}},
        {"metadata": {"\0": 1}},
    ],
)
async def test_nul_is_refused_wherever_it_stands(world: World, changes: dict[str, Any]) -> None:
    answer = await world.api.post("/tasks/submit", json={**PROMPT, **changes})
    assert answer.status_code == 400
    assert "NUL" in fault(answer)["detail"]


async def test_metadata_has_a_size(world: World) -> None:
    largest = {"a": "x" * (16 * 1024 - len('{"a":""}'))}
    assert len(orjson.dumps(largest)) == 16 * 1024
    assert await world.submit(metadata=largest)
    answer = await world.api.post("/tasks/submit", json={**PROMPT, "metadata": {"a": largest["a"] + "x"}})
    assert answer.status_code == 400
    assert fault(answer)["errors"][0]["loc"] == ["body", "metadata"]


async def test_a_key_that_occurs_twice_is_refused(world: World) -> None:
    content = orjson.dumps(PROMPT)[:-1] + b', "priority": 1, "priority": 2}'
    answer = await world.api.post("/tasks/submit", content=content)
    assert answer.status_code == 400
    assert "'priority'" in fault(answer)["detail"]


async def test_a_body_too_deep_for_a_parser_is_a_fault_of_the_caller(world: World) -> None:
    for levels in (65, 500, 900, 1000, 1024, 5000):
        answer = await world.api.post("/tasks/submit", content=raw("[" * levels + "]" * levels))
        assert answer.status_code == 400, levels
        fault(answer)


async def test_misspelt_query_parameters_are_named_on_every_route(world: World) -> None:
    paths = (await world.api.get("http://api/openapi.json")).json()["paths"]
    assert len(paths) > 10
    for path, operations in paths.items():
        for method in operations:
            filled = re.sub(r"\{\w+\}", "x", path)
            answer = await world.api.request(method.upper(), f"http://api{filled}", params={"pgae": "2"})
            assert answer.status_code == 400, (method, path)
            assert fault(answer)["errors"][0]["loc"] == ["query", "pgae"]
    answer = await world.api.get("/projects/film/tasks", params={"task_type": "paint"})
    assert answer.status_code == 400
    assert fault(answer)["errors"][0]["loc"] == ["query", "task_type"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/keys", "GET, POST"), ("/tasks/batch", "POST"), ("/tasks/x", "PATCH"), ("/health", "GET, HEAD")],
)
async def test_a_method_that_a_path_lacks_is_refused_with_those_that_it_has(
    world: World, path: str, methods: str
) -> None:
    answer = await world.api.put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    fault(answer)


async def test_no_word_of_a_job_reaches_the_terminal_as_a_command(world: World) -> None:
    task_id = await world.submit()
    await world.set_status(task_id, phase="processing", attempt=1, currentStep="a\x1b[31mb\x9b2J")
    shown = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert shown["current_step"] == "a?[31mb?2J"
    listed = (await world.api.get("/projects/film/tasks")).json()["tasks"][0]
    assert listed["current_step"] == shown["current_step"]
    await world.set_status(task_id, phase="failed", error={"code": "X", "message": "see\n\x1b]0;title\x07"})
    shown = (await world.api.get(f"/tasks/{task_id}/status")).json()
    assert shown["error"]["message"] == "see\n?]0;title?"


class Everybody:
    """Takes every request as one of a caller with these scopes."""

    challenge = "Test"
    hint = "nothing"

    def __init__(self, scopes: frozenset[str]) -> None:
        self._scopes = scopes

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        return Principal("key:everybody", frozenset({"*"}), Grant(self._scopes))


CALLS = [
    ("POST", "/tasks/submit", "tasks:submit"),
    ("GET", "/tasks/{}/status", "tasks:read"),
    ("GET", "/tasks/{}/logs", "tasks:read"),
    ("GET", "/projects/film/tasks", "tasks:read"),
    ("DELETE", "/tasks/{}/cancel", "tasks:cancel"),
    ("POST", "/tasks/{}/retry", "tasks:retry"),
    ("GET", "/tasks/{}/media", "media:read"),
    ("POST", "/uploads", "uploads:write"),
    ("POST", f"/uploads/{'a' * 32}/complete", "uploads:write"),
    ("PATCH", "/tasks/{}", "tasks:prioritize"),
    ("POST", "/tasks/{}/webhook/redeliver", "webhooks:write"),
    ("GET", "/projects/film/usage", "usage:read"),
    ("GET", "/reviews", "results:review"),
    ("POST", "/tasks/{}/review", "results:review"),
    ("GET", "/keys", "keys:admin"),
    ("GET", "/stats", "platform:read"),
    ("GET", "/workers/status", "platform:read"),
    ("GET", "/task-types", "platform:read"),
    ("GET", "/task-types/test_prompt", "platform:read"),
]


async def test_each_call_needs_its_scope_and_no_other(world: World) -> None:
    task_id = await world.submit()
    app: Any = world.public.app
    for method, path, scope in CALLS:
        for scopes in (frozenset(SCOPES.keys() - {scope}), frozenset({scope})):
            app.state.authentication = Authentication([Everybody(scopes)])
            body = PROMPT if path.endswith("submit") else None
            answer = await world.api.request(method, path.format(task_id), json=body)
            if scope in scopes:
                assert answer.status_code not in (401, 403), path
            else:
                assert answer.status_code == 403, path
                assert scope in fault(answer)["detail"]
    assert SCOPES.keys() == {scope for *_, scope in CALLS}
