"""The command line against a service that answers as told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
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


def test_task_data_from_standard_input(service: Service) -> None:
    assert run("submit", "generate_image", "--file", "-", stdin='{"prompt": "x"}').exit_code == 0
    assert service.asked("POST", SUBMIT)[0].body["task_data"] == {"prompt": "x"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["submit"], "say which TYPE"),
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


def test_a_refused_request_ends_with_2(service: Service) -> None:
    service.on("POST", SUBMIT, problem(400, "invalid", errors=[{"loc": ["width"], "msg": "too small"}]))
    result = run("submit", "generate_image", "x", "--set", "width=1")
    assert result.exit_code == 2
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
    tasks = [task("completed", started_at="2026-01-01T00:00:00Z", completed_at="2026-01-01T00:00:07.5Z")]
    service.on(
        "GET",
        "/api/v1/projects/demo/tasks",
        Answer(200, {"tasks": tasks, "total": 21, "page": 2, "limit": 20, "pages": 2}),
    )
    result = run("list", "-p", "demo", "--page", "2", "--type", "generate_image", "--status", "completed")
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["ID", "TYPE", "STATUS", "PROGRESS", "ATTEMPT", "TIME", "STEP"]
    assert row.split() == ["task-1", "generate_image", "completed", "100%", "1", "7.5", "s", "upload", "complete"]
    assert "page 2 of 2, 21 tasks in all" in result.stderr
    assert service.requests[0].query == {
        "page": "2",
        "limit": "20",
        "status": "completed",
        "task_type": "generate_image",
    }


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
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_as_a_program_without_a_service(tmp_path: Path) -> None:
    out, err = (process := program("get", "x", "--dir", "nowhere")).communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: no service address: set MEDIATASK_URL")
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


def test_help_and_the_sdk_start_without_media_libraries() -> None:
    code = (
        "import sys, mediatask_client, mediatask_client.cli, mediatask_client.webhooks\n"
        "heavy = {'PIL', 'numpy', 'av', 'torch', 'kubernetes', 'fastapi', 'mediatask_local'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
