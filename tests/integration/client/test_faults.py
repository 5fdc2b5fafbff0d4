"""What can be wrong around the client: it says so in one message, shows no key, and prints no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from mediatask_client import Client, MediaTaskError, cli
from support.rest_service import KEY, Answer, Request, Service, problem, task

STATUS = "/api/v1/tasks/task-1/status"
SUBMIT = "/api/v1/tasks/submit"
TYPE = "/api/v1/task-types/test_prompt"
HTML = {"Content-Type": "text/html"}
PAGE = Answer(200, b"<html>Please log in</html>", HTML)

Run = Callable[..., Result]


@pytest.fixture
def run(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `mediatask` with the service's address and key in the environment; what would be a traceback is raised."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str, **more: str) -> Result:
        own = {"MEDIATASK_URL": service.url, "MEDIATASK_API_KEY": KEY, **more}
        return CliRunner().invoke(cli.app, list(words), env=own, catch_exceptions=False)

    return command


def fault(done: Result, code: int) -> str:
    """The one message of a command that failed as it should."""
    assert done.exit_code == code, done.stderr
    assert [line.startswith("Error: ") for line in done.stderr.splitlines()].count(True) == 1
    assert done.stdout == ""
    return done.stderr


# ---- addresses and keys


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://[::1", "write it as http://HOST:PORT"),
        ("localhost:18431", "write it with its scheme, as in http://localhost:18431"),
        ("ftp://media.example", "write it as http://HOST:PORT"),
        ("http://", "write it as http://HOST:PORT"),
        ("http://media.example:99999", "write it as http://HOST:PORT"),
        ("http://me dia.example", "write it as http://HOST:PORT"),
        ("http://media.example?x=1", "leave out"),
        ("http://user:hunter2@media.example", "leave out"),
        ("http://user:hunter2@[::1", "write it as"),
        (f"http://{'a' * 64}.example", "is no address"),
    ],
)
def test_an_address_that_is_none_is_a_usage_error(run: Run, url: str, message: str) -> None:
    said = fault(run("get", "task-1", "--url", url), 2)
    assert message in said
    assert "hunter2" not in said


@pytest.mark.parametrize("key", ["mtk_\nsecret", "mtk_secrét", "mtk secret", "mtk_\x00secret", "mtk_\udcffsecret"])
def test_a_key_that_is_none_is_not_shown(key: str) -> None:
    with pytest.raises(MediaTaskError, match="API key") as raised:
        Client("http://127.0.0.1:1", key)
    assert "secr" not in str(raised.value)


def test_a_wrong_key_of_the_command_line_is_not_shown(run: Run) -> None:
    assert "secr" not in fault(run("get", "task-1", "--api-key", "mtk_\nsecrét"), 2)


def test_the_key_is_in_no_repr_and_white_space_around_it_is_not_its_own(service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task()))
    with Client(service.url, f"{KEY}\n") as client:
        client.get("task-1")
        assert KEY not in repr(client.connection) + repr(client)
    assert service.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("content", ["{", "[]", '{"api_key": "mtk_secret"}', '{"api_url": 1, "api_key": "mtk_secret"}'])
def test_a_damaged_up_json(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / ".mediatask").mkdir()
    (tmp_path / ".mediatask" / "up.json").write_text(content)
    said = fault(run("get", "task-1", MEDIATASK_URL="", MEDIATASK_API_KEY=""), 2)
    assert "up.json is damaged: start `mediatask up` again" in said
    assert "secret" not in said
    assert "is damaged" not in run("get", "task-1").stderr, "it does not matter where address and key are given"


# ---- answers


def commands() -> list[list[str]]:
    return [
        ["get", "task-1"],
        ["list"],
        ["types"],
        ["types", "test_prompt"],
        ["submit", "test_prompt", "x"],
        ["cancel", "task-1"],
        ["logs", "task-1"],
        ["open", "task-1"],
    ]


def answer_all(service: Service, answer: Answer) -> None:
    for path in (STATUS, "/api/v1/projects/default/tasks", "/api/v1/task-types", TYPE, "/api/v1/tasks/task-1/logs"):
        service.on("GET", path, answer)
    service.on("POST", SUBMIT, answer)
    service.on("DELETE", "/api/v1/tasks/task-1/cancel", answer)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_page_instead_of_an_answer(service: Service, run: Run, words: list[str]) -> None:
    answer_all(service, PAGE)
    assert f"the server at {service.url} is not MediaTask (text/html, HTTP 200)" in fault(run(*words), 1)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_redirect_is_not_followed_with_the_key(service: Service, run: Run, words: list[str]) -> None:
    answer_all(service, Answer(301, b"<html>", {**HTML, "Location": "https://other.example/"}))
    assert "redirects to https://other.example/" in fault(run(*words), 1)


@pytest.mark.parametrize("body", [b"", b"\xff", [], {"task_id": 5}, task("unheard_of"), {"task_id": "task-1"}])
def test_an_answer_of_another_shape(service: Service, run: Run, body: Any) -> None:
    service.on("GET", STATUS, Answer(200, body))
    assert "is not MediaTask" in fault(run("get", "task-1"), 1)


@pytest.mark.parametrize("document", [{"errors": "x"}, {"errors": [1, {"loc": None}]}, {"detail": ["x"]}, [], "x"])
def test_a_problem_of_another_shape(service: Service, run: Run, document: Any) -> None:
    service.on("GET", STATUS, Answer(409, document))
    assert "HTTP 409" in fault(run("get", "task-1"), 1)


def test_a_fault_is_reported_once_and_named_as_in_the_request(service: Service, run: Run) -> None:
    def refuse(request: Request) -> Answer:
        errors = [
            {"loc": ["body", "task_data", "prompt_id"], "msg": "Too long"},
            {"loc": ["priority"], "msg": "Too big"},
        ]
        return problem(400, "task_data.prompt_id: Too long; priority: Too big", errors=errors)

    service.on("GET", TYPE, Answer(200, {"name": "test_prompt", "schema": {"properties": {"prompt_template": {}}}}))
    service.on("POST", SUBMIT, refuse)
    said = fault(run("submit", "test_prompt", "x"), 1)
    assert said.splitlines() == [
        "Error: refused (HTTP 400)",
        "  task_data.prompt_id: Too long",
        "  priority: Too big",
    ]


def test_a_failed_task_says_why_once(service: Service, run: Run) -> None:
    service.on("GET", STATUS, Answer(200, task("failed", error={"code": "InvalidInput", "message": "no picture"})))
    service.on("POST", "/api/v1/tasks/task-1/retry", Answer(202, {}))
    service.on("POST", SUBMIT, Answer(202, {"task_id": "task-1", "status": "queued", "project_id": "demo"}))
    service.on("GET", TYPE, Answer(200, {"name": "test_prompt", "schema": {"properties": {"prompt_template": {}}}}))
    submit = ["submit", "test_prompt", "x"]
    for words in (["watch", "task-1"], [*submit, "--wait"], [*submit, "--download", "out"]):
        done = run(*words)
        assert done.exit_code == 1
        assert (done.stdout + done.stderr).count("InvalidInput: no picture") == 1


# ---- what a job says


ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\u202e\r"


def test_a_job_cannot_write_control_sequences_to_the_terminal(service: Service, run: Run) -> None:
    words = f"step{ESCAPES}"
    state = task(
        "failed",
        current_step=words,
        task_type=f"kind{ESCAPES}",
        error={"code": "JobFailed", "message": words},
        result={"metadata": {words: words}},
    )
    listed = {"tasks": [{**state, "status": "processing"}], "total": 1, "page": 1, "limit": 20, "pages": 1}
    service.on("GET", STATUS, Answer(200, state))
    service.on("GET", "/api/v1/projects/default/tasks", Answer(200, listed))
    service.on("GET", "/api/v1/tasks/task-1/logs", Answer(200, f"{words}\nnext\tline\n".encode()))
    service.on("GET", "/api/v1/task-types", Answer(200, [{"name": "kind", "summary": words}]))
    service.on("GET", "/api/v1/tasks/task-2/status", problem(404, words))
    for command in (
        *(["get", "task-1", "-o", form] for form in ("table", "json", "yaml")),
        *(["list", "-o", form] for form in ("table", "json", "yaml")),
        ["watch", "task-1"],
        ["logs", "task-1"],
        ["types"],
        ["get", "task-2"],
    ):
        done = run(*command)
        told = done.stdout + done.stderr
        assert "step" in told, command
        assert not set(told) & set(ESCAPES) - set("[2J]0;titlem31"), command
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert read(run("get", "task-1", "-o", form).stdout) == state, "programs get what was said, written another way"
    assert "next\tline" in run("logs", "task-1").stdout


# ---- files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "neither JSON nor YAML"),
        (b"{1: 2}", "holds no JSON or YAML object"),
        (b"[" * 1_000, "neither JSON nor YAML"),
        (b"task_type: test_prompt\ntask_data: x\n", "task_data in --file is not an object"),
        (b"task_type: test_prompt\nmetadata: []\n", "metadata in --file is not an object"),
        (b"task_type: [test_prompt]\n", "the TYPE of the task is missing"),
        (b"task_type: test_prompt\ntask_data: {prompt_template: .nan}\n", "cannot be written as JSON"),
        (b"task_type: test_prompt\nmetadata: {a: !!binary aGk=}\n", "cannot be written as JSON"),
    ],
)
def test_a_file_that_is_no_request(service: Service, run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    service.on("GET", TYPE, Answer(200, {"name": "test_prompt", "schema": {"properties": {"prompt_template": {}}}}))
    (tmp_path / "request").write_bytes(content)
    assert message in fault(run("submit", "--file", "request"), 2)
    assert service.asked("POST", SUBMIT) == []


def test_words_that_are_not_utf_8() -> None:
    program = [sys.executable, "-c", "from mediatask_client.cli import main; main()", "get", b"task-\xff"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "Error: an argument is not UTF-8\n")


def test_a_place_that_cannot_be_written_to(service: Service, run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    service.on("GET", STATUS, Answer(200, task("completed", result={"artifacts": [artifact(service)]})))
    assert "file" in fault(run("open", "task-1", "--to", "file/below.png"), 1)


@pytest.mark.parametrize("url", ["http://[::1", "file:///etc/passwd", "http://127.0.0.1:1/x"])
def test_an_address_of_media_that_leads_nowhere(service: Service, run: Run, url: str) -> None:
    service.on("GET", STATUS, Answer(200, task("completed", result={"artifacts": [artifact(service) | {"url": url}]})))
    assert "the download of a.png was interrupted" in fault(run("open", "task-1"), 1)


def artifact(service: Service) -> dict[str, Any]:
    service.on("GET", "/media/a.png", Answer(200, b""))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return {
        "name": "a.png",
        "url": f"{service.url}/media/a.png",
        "bytes": 0,
        "sha256": empty,
        "content_type": "image/png",
    }
