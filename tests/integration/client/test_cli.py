"""The command line against a service that answers as told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from mediatask_client import cli
from mediatask_crds.tasktypes import task_types
from support.rest_service import KEY, Answer, Service, problem, task

SUBMIT = "/api/v1/tasks/submit"
STATUS = "/api/v1/tasks/task-1/status"


@pytest.fixture(autouse=True)
def _local_mode(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a started local mode, whose catalogue is the real one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mediatask").mkdir()
    (tmp_path / ".mediatask" / "up.json").write_text(json.dumps({"api_url": service.url, "api_key": KEY}))
    service.on("POST", SUBMIT, Answer(202, {"task_id": "task-1", "status": "queued", "project_id": "demo"}))
    service.on(
        "GET", "/api/v1/task-types", Answer(200, [{"name": n, "summary": t.summary} for n, t in task_types().items()])
    )
    for name, kind in task_types().items():
        detail = {"name": name, "summary": kind.summary, "schema": kind.model_json_schema()}
        service.on("GET", f"/api/v1/task-types/{name}", Answer(200, detail))


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, list(words), input=stdin)


def completed(service: Service, *names: str) -> dict[str, Any]:
    artifacts = []
    for number, name in enumerate(names):
        content = f"content of {name}".encode()
        service.on("GET", f"/media/{number}", Answer(200, content))
        artifacts.append(
            {
                "name": name,
                "url": f"{service.url}/media/{number}",
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "content_type": "image/png",
            }
        )
    return task("completed", result={"media_url": "x", "metadata": {"seed": 7}, "artifacts": artifacts})


# ---- submit


def test_submit_prints_the_id_alone(service: Service) -> None:
    result = run("submit", "generate_image", "Detective in 1920s noir style", "--set", "width=512", "--set", "seed=7")
    assert (result.exit_code, result.stdout) == (0, "task-1\n")
    assert "mediatask watch task-1" in result.stderr
    (request,) = service.asked("POST", SUBMIT)
    assert request.body == {
        "project_id": "default",
        "task_type": "generate_image",
        "task_data": {"character_description": "Detective in 1920s noir style", "width": 512, "seed": 7},
    }


def test_submit_passes_all_options(service: Service) -> None:
    words = [
        "submit",
        "generate_image",
        "x",
        "-p",
        "demo",
        "--priority",
        "0",
        "--callback-url",
        "http://h.example/x",
        "--metadata",
        "user_id=u",
    ]
    assert run(*words, "--idempotency-key", "k").exit_code == 0
    (request,) = service.asked("POST", SUBMIT)
    assert request.headers["idempotency-key"] == "k"
    assert request.body["metadata"] == {"user_id": "u"}
    assert (request.body["project_id"], request.body["priority"]) == ("demo", 0)
    assert request.body["callback_url"] == "http://h.example/x"


@pytest.mark.parametrize("form", [json.dumps, yaml.safe_dump])
def test_a_request_from_a_file_yields_to_the_command_line(service: Service, tmp_path: Path, form: Any) -> None:
    body = {
        "project_id": "from_file",
        "task_type": "generate_image",
        "task_data": {"prompt": "x", "width": 64},
        "metadata": {"a": "1"},
    }
    (tmp_path / "task.json").write_text(form(body))
    result = run("submit", "--file", "task.json", "--set", "width=128", "--metadata", "b=2")
    assert result.exit_code == 0, result.stderr
    (request,) = service.asked("POST", SUBMIT)
    assert request.body == body | {"task_data": {"prompt": "x", "width": 128}, "metadata": {"a": "1", "b": "2"}}


@pytest.mark.parametrize(
    ("given", "env", "project"),
    [([], {}, "from_file"), ([], {"MEDIATASK_PROJECT": "env"}, "from_file"), (["-p", "named"], {}, "named")],
)
def test_the_project_of_a_whole_request(
    service: Service, tmp_path: Path, given: list[str], env: dict[str, str], project: str
) -> None:
    """The command line takes precedence over the file, and the file over the environment's default."""
    (tmp_path / "task.yaml").write_text("task_type: test_prompt\nproject_id: from_file\n")
    words = ["submit", "--file", "task.yaml", *given, "--set", "prompt_template=hi"]
    result = CliRunner().invoke(cli.app, words, env=env)
    assert result.exit_code == 0, result.stderr
    assert service.asked("POST", SUBMIT)[0].body["project_id"] == project


def test_a_date_in_a_file_is_text(service: Service, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("prompt: 2026-01-01\n")
    assert run("submit", "generate_image", "--file", "task.yaml").exit_code == 0
    assert service.asked("POST", SUBMIT)[0].body["task_data"] == {"prompt": "2026-01-01"}


def test_task_data_from_standard_input(service: Service) -> None:
    assert run("submit", "generate_image", "--file", "-", stdin='{"prompt": "x"}').exit_code == 0
    assert service.asked("POST", SUBMIT)[0].body["task_data"] == {"prompt": "x"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["submit"], "the TYPE of the task is missing"),
        (["submit", "generate_imge", "x"], "unknown task type generate_imge (did you mean generate_image?)"),
        (["submit", "generate_image", "--set", "widht=1"], "unknown field widht (did you mean width?)"),
        (["submit", "generate_image", "x", "--metadata", "a"], "write it as key=value"),
        (["submit", "generate_image", "--file", "-"], "--file"),
        (["submit", "generate_image", "x", "--priority", "12"], "--priority"),
        (["get"], "Missing argument"),
        (["paint"], "No such command"),
    ],
)
def test_a_wrong_command_ends_with_2_and_is_not_sent(service: Service, words: list[str], message: str) -> None:
    result = run(*words, stdin="- a list\n")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert service.asked("POST", SUBMIT) == []


def test_a_request_that_the_service_refuses_ends_with_1(service: Service) -> None:
    service.on("POST", SUBMIT, problem(400, "invalid", errors=[{"loc": ["width"], "msg": "too small"}]))
    result = run("submit", "generate_image", "x", "--set", "width=1")
    assert result.exit_code == 1
    assert "width: too small" in result.stderr


def test_wait_and_download(service: Service, tmp_path: Path) -> None:
    service.on("GET", STATUS, Answer(200, task()), Answer(200, completed(service, "a.png", "b.png")))
    result = run("submit", "generate_image", "x", "--download", "media", "-o", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["result"]["metadata"] == {"seed": 7}
    assert "denoising" in result.stderr
    assert (tmp_path / "media" / "task-1.png").read_text() == "content of a.png"
    assert (tmp_path / "media" / "task-1-b.png").read_text() == "content of b.png"


def test_a_download_stays_in_its_folder_whatever_the_service_says(service: Service, tmp_path: Path) -> None:
    names = ["x/../../a.png", "/../../../escaped.txt", "..\\..\\b.png", "..", ".bashrc", "c\x1b[2J\x00.png", "d" * 4000]
    state = completed(service, *names) | {"task_id": "../../task-1"}
    service.on("GET", STATUS, Answer(200, state))
    before = {path for path in tmp_path.parent.rglob("*") if tmp_path not in path.parents}
    for words in (["submit", "generate_image", "x", "--download", "media"], ["open", "task-1", "--to", "again/"]):
        result = run(*words)
        assert result.exit_code == 0, result.output
    assert {path for path in tmp_path.parent.rglob("*") if tmp_path not in path.parents} == before
    written = {path.name for path in (tmp_path / "media").iterdir()}
    assert {"task-1.png", "task-1-escaped.txt", "task-1-b.png", "task-1-file", "task-1-bashrc"} < written
    assert written == {path.name for path in (tmp_path / "again").iterdir()}
    assert len(written) == len(names)
    assert all(name.isprintable() and len(name) < 255 for name in written)


def test_a_failed_task_ends_with_1_and_its_reason(service: Service) -> None:
    error = {"code": "InvalidInput", "message": "no picture", "retryable": False}
    service.on("GET", STATUS, Answer(200, task("failed", error=error)))
    for words in (["submit", "generate_image", "x", "--wait"], ["watch", "task-1"]):
        result = run(*words)
        assert result.exit_code == 1
        assert "InvalidInput: no picture" in result.stderr


# ---- get, list, watch, cancel, retry, logs, open, types


def page(*ids: str) -> Answer:
    tasks = [task(task_id=name) for name in ids]
    return Answer(200, {"tasks": tasks, "total": len(tasks), "page": 1, "limit": 100, "pages": 1})


VERBS = pytest.mark.parametrize(
    "verb",
    ["get", "cancel", "retry", "logs", "open", "watch", "events", "priority", "webhook log", "webhook redeliver"],
)


def run_on(verb: str, given: str, *words: str) -> Result:
    return run(*verb.split(), given, *(["0"] if verb == "priority" else []), *words)


def answer_for(service: Service, task_id: str) -> None:
    path = f"/api/v1/tasks/{task_id}"
    state = completed(service, "a.png") | {"task_id": task_id}
    service.on("GET", f"{path}/status", Answer(200, state))
    service.on("DELETE", f"{path}/cancel", Answer(200, state))
    service.on("POST", f"{path}/retry", Answer(202, {}))
    service.on("GET", f"{path}/logs", Answer(200, b"a line\n"))
    service.on("GET", f"{path}/events", Answer(204, b""))
    service.on("PATCH", path, Answer(200, state))
    webhook = Answer(200, {"task_id": task_id, "state": "delivered"})
    service.on("GET", f"{path}/webhook", webhook)
    service.on("POST", f"{path}/webhook/redeliver", webhook)


@VERBS
def test_the_beginning_of_an_id_is_enough(service: Service, verb: str) -> None:
    answer_for(service, "3f2a9c01-77")
    service.on("GET", "/api/v1/projects/demo/tasks", page("3f2b0000-11", "3f2a9c01-77"))
    result = run_on(verb, "3f2a", "-p", "demo")
    assert result.exit_code == 0, result.output
    assert any("3f2a9c01-77" in request.path for request in service.requests)


@VERBS
def test_a_beginning_of_several_ids_is_a_usage_error_and_touches_none(service: Service, verb: str) -> None:
    for task_id in ("3f2a9c01-77", "3f2a9c02-88"):
        answer_for(service, task_id)
    service.on("GET", "/api/v1/projects/default/tasks", page("3f2a9c02-88", "3f2a9c01-77", "4"))
    result = run_on(verb, "3f2a9c0")
    assert result.exit_code == 2
    assert "3f2a9c0 is the beginning of 2 ids, give more of it: 3f2a9c02-88, 3f2a9c01-77" in result.stderr
    assert not any("3f2a9c01-77" in request.path for request in service.requests)


@VERBS
@pytest.mark.parametrize("given", ["3f2", "4444"])
def test_a_beginning_of_no_id_or_too_short_is_not_found(service: Service, verb: str, given: str) -> None:
    service.on("GET", "/api/v1/projects/default/tasks", page("3f2a9c02-88"))
    result = run_on(verb, given)
    assert result.exit_code == 1
    assert "HTTP 404" in result.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["types"], list(task_types())),
        (["submit", "generate_image", "x"], ["task-1"]),
        (["submit", "generate_image", "x", "--wait"], ["task-1"]),
        (["get", "task-1"], ["task-1"]),
        (["list"], ["task-1", "task-2"]),
        (["watch", "task-1"], ["task-1"]),
        (["cancel", "task-1"], ["task-1"]),
        (["retry", "task-1", "--wait"], ["task-1"]),
        (["priority", "task-1", "0"], ["task-1"]),
        (["webhook", "log", "task-1"], ["task-1"]),
        (["webhook", "redeliver", "task-1"], ["task-1"]),
    ],
)
def test_names_alone_and_the_same_as_documents(service: Service, words: list[str], names: list[str]) -> None:
    answer_for(service, "task-1")
    service.on("GET", "/api/v1/projects/default/tasks", page("task-1", "task-2"))
    assert run(*words, "-o", "name").stdout.splitlines() == names
    document = json.loads(run(*words, "-o", "json").stdout)
    assert document == yaml.safe_load(run(*words, "-o", "yaml").stdout)
    entries = document if isinstance(document, list) else document.get("tasks", [document])
    assert [entry.get("task_id") or entry["name"] for entry in entries] == names


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_get_for_programs(service: Service, form: str, read: Any) -> None:
    state = completed(service, "a.png")
    service.on("GET", STATUS, Answer(200, state))
    assert read(run("get", "task-1", "-o", form).stdout) == state


def test_get_for_people(service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task("completed", error=None, started_at="2026-01-01T00:00:00Z")))
    lines = run("get", "task-1").stdout.splitlines()
    assert ["status", "completed"] in [line.split() for line in lines]
    assert not any("error" in line for line in lines)


def test_list(service: Service) -> None:
    times = {"created_at": "2000-01-01T00:00:00Z"}
    times |= {"started_at": "2000-01-01T00:00:00Z", "completed_at": "2000-01-01T00:00:07.5Z"}
    tasks = [task("completed", **times)]
    service.on(
        "GET",
        "/api/v1/projects/demo/tasks",
        Answer(200, {"tasks": tasks, "total": 61, "page": 2, "limit": 20, "pages": 4, "next_cursor": "abc"}),
    )
    filters = ("--type", "generate_image", "--status", "completed", "--tag", "night")
    result = run("list", "-p", "demo", "--page", "2", *filters)
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["ID", "TYPE", "STATUS", "PROGRESS", "ATTEMPT", "AGE", "TIME", "STEP"]
    *start, days, seconds, _, _, _ = row.split()
    assert start == ["task-1", "generate_image", "completed", "100%", "1"]
    assert (int(days.removesuffix("d")) > 9000, seconds) == (True, "7.5")
    assert "page 2 of 4, 61 tasks in all; go on with --cursor abc" in result.stderr
    assert service.requests[0].query == {
        "page": "2",
        "limit": "20",
        "status": "completed",
        "task_type": "generate_image",
        "tag": "night",
    }
    assert run("list", "-p", "demo", "--cursor", "abc").exit_code == 0
    assert service.requests[-1].query["cursor"] == "abc"


def test_priority(service: Service) -> None:
    service.on("PATCH", "/api/v1/tasks/task-1", Answer(200, task("queued", priority=0)))
    assert run("priority", "task-1", "0").stdout == "queued\n"
    assert service.requests[-1].body == {"priority": 0}
    assert run("priority", "task-1", "10").exit_code == 2


def test_a_submit_with_tags_and_a_start(service: Service) -> None:
    words = ("--tag", "night", "--tag", "act-2", "--not-before", "2027-01-31T06:00:00Z")
    assert run("submit", "generate_image", "x", *words).exit_code == 0
    (request,) = service.asked("POST", SUBMIT)
    body = request.body
    assert body["tags"] == ["night", "act-2"]
    assert datetime.fromisoformat(body["not_before"]) == datetime(2027, 1, 31, 6, tzinfo=UTC)
    assert run("submit", "generate_image", "x", "--not-before", "soon").exit_code == 2


def test_watch_without_ids_follows_what_is_unfinished(service: Service) -> None:
    path = "/api/v1/projects/demo/tasks"
    pages = [{"tasks": found, "total": len(found), "page": 1, "limit": 100, "pages": 1} for found in ([task()], [])]
    service.on("GET", path, *(Answer(200, page) for page in pages))
    service.on("GET", STATUS, Answer(200, task("completed")))
    result = run("watch", "-p", "demo")
    assert result.exit_code == 0
    assert "completed" in result.stderr


def test_cancel_waits_until_the_task_has_stopped(service: Service) -> None:
    service.on("DELETE", "/api/v1/tasks/task-1/cancel", Answer(202, {}))
    service.on("GET", STATUS, Answer(200, task()), Answer(200, task()), Answer(200, task("cancelled")))
    result = run("cancel", "task-1")
    assert (result.exit_code, result.stdout) == (0, "cancelled\n")


def test_cancel_of_a_finished_task_is_refused(service: Service) -> None:
    service.on("DELETE", "/api/v1/tasks/task-1/cancel", problem(409, "task-1 is completed"))
    result = run("cancel", "task-1")
    assert result.exit_code == 1
    assert "task-1 is completed" in result.stderr


def test_retry(service: Service) -> None:
    service.on("POST", "/api/v1/tasks/task-1/retry", Answer(202, {}))
    service.on("GET", STATUS, Answer(200, task("queued")), Answer(200, task("completed")))
    assert run("retry", "task-1").stdout == "queued\n"
    assert run("retry", "task-1", "--wait").exit_code == 0


def test_logs(service: Service) -> None:
    service.on("GET", "/api/v1/tasks/task-1/logs", Answer(200, b"[red]one\ntwo\n"))
    assert run("logs", "task-1").stdout == "[red]one\ntwo\n"


def test_open_prints_the_path_where_there_is_no_display(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    service.on("GET", STATUS, Answer(200, completed(service, "a.png")))
    result = run("open", "task-1")
    assert Path(result.stdout.strip()).read_text() == "content of a.png"
    assert run("open", "task-1", "--to", "mine.png").stdout == "mine.png\n"
    assert (tmp_path / "mine.png").exists()


def test_open_hands_the_file_to_the_viewer(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = tmp_path / "bin" / "xdg-open"
    viewer.parent.mkdir()
    shown = tmp_path / "shown"
    viewer.write_text(f'#!/bin/sh\nprintf %s "$1" > {shown}.part && mv {shown}.part {shown}\n')
    viewer.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("PATH", f"{viewer.parent}:{os.environ['PATH']}")
    service.on("GET", STATUS, Answer(200, completed(service, "a.png")))
    assert run("open", "task-1", "--to", "mine.png").exit_code == 0
    wait = subprocess.run(["sh", "-c", f"for i in $(seq 200); do [ -e {shown} ] && exit 0; sleep 0.05; done; exit 1"])
    assert wait.returncode == 0
    assert shown.read_text() == "mine.png"


def test_types(service: Service) -> None:
    assert "generate_image     Generate pictures" in run("types").stdout
    assert any(line.startswith("seed ") for line in run("types", "generate_image").stdout.splitlines())
    assert json.loads(run("types", "generate_image", "-o", "json").stdout)["name"] == "generate_image"


def test_an_option_beats_the_local_mode(service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task()))
    run("get", "task-1", "--url", service.url, "--api-key", "mtk_other")
    assert service.requests[-1].headers["x-api-key"] == "mtk_other"


# ---- as a program


def program(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from mediatask_client.cli import main; main()", *words]
    # A shell starts background jobs with SIGINT ignored, and programs inherit that: tests may run in one.
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_as_a_program_without_a_service(tmp_path: Path) -> None:
    out, err = (process := program("get", "x", "--dir", "nowhere")).communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("Error: no service address: set MEDIATASK_URL")
    assert len(err.splitlines()) == 1


def test_ctrl_c_ends_a_watch_quietly(service: Service) -> None:
    service.on("GET", STATUS, Answer(200, task()))
    process = program("watch", "task-1")
    assert process.stderr is not None
    assert "denoising" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def verbs(group: Any, *path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, *path, name)
        else:
            yield " ".join([*path, name])


def test_every_verb_with_a_result_gives_it_in_every_form() -> None:
    """The others start something, print text as it is, or have no result."""
    others = {"up", "demo", "logs", "open", "mcp", "keys revoke", "delete-upload"}
    found = set(verbs(typer.main.get_command(cli.app)))
    assert others < found
    told = {verb: "".join(run(*verb.split(), "--help").stdout.split()) for verb in found}
    assert {verb for verb, text in told.items() if "table|json|yaml|name" not in text} == others


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, mediatask_client.webhooks, mediatask_client.cli as cli\n"
        "from typer.testing import CliRunner\n"
        "for words in (['--help'], ['--version']):\n"
        "    CliRunner().invoke(cli.app, words)\n"
        "heavy = {'httpx', 'pydantic', 'rich', 'yaml', 'asyncio', 'mediatask_crds', 'mediatask_local', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_sdk_starts_without_media_libraries() -> None:
    code = (
        "import sys\n"
        "from mediatask_client import AsyncClient, Client, Task\n"
        "heavy = {'PIL', 'numpy', 'av', 'torch', 'kubernetes', 'fastapi', 'mediatask_local'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_help_names_the_exit_codes_and_the_version_is_the_packages() -> None:
    told = run("--help").stdout
    assert all(f"\n    {code:<4} " in told for code in (0, 1, 2, 130))
    assert run("--version").stdout == f"mediatask {version('mediatask')}\n"
