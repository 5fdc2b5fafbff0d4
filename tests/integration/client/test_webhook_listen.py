"""`mediatask webhook listen`: a receiver that verifies, tells and passes on."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

from mediatask_client.cli import app
from support.rest_service import Answer, Service

SECRET, OTHER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"k", b"o"))
EVENT = {
    "type": "task.completed",
    "timestamp": "2026-01-01T00:00Z",
    "task_id": "task-1\x1b[2J",
    "project_id": "film",
}
BODY = json.dumps(EVENT).encode()


def signed(secret: str = SECRET) -> dict[str, str]:
    now = int(time.time())
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(now, UTC), BODY.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


@contextmanager
def listening(folder: Path, *words: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A receiver on a free port; the process, and its address."""
    command = [
        sys.executable,
        "-c",
        "from mediatask_client.cli import main; main()",
        "webhook",
        "listen",
        "--port",
        "0",
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEDIATASK_")} | environ
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *words], env=env, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stderr is not None
            words_of_it = process.stderr.readline().split()
            assert words_of_it[:2] == ["listening", "on"], words_of_it
            yield process, words_of_it[2]
        finally:
            process.kill()


def test_webhooks_are_verified_and_printed(tmp_path: Path) -> None:
    with listening(tmp_path, "--count", "2", MEDIATASK_WEBHOOK_SECRETS=f"{OTHER} {SECRET}") as (process, url):
        assert httpx.post(url, content=BODY, headers=signed()).status_code == 204
        assert httpx.post(url, content=BODY + b" ", headers=signed()).status_code == 400
        assert httpx.post(url, content=BODY).status_code == 400
        with connected(url) as caller:
            caller.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n")
            assert b" 413 " in caller.recv(100)
        assert httpx.post(f"{url}/any/path", content=BODY, headers=signed(OTHER)).status_code == 204
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[0].split() == ["2026-01-01T00:00Z", "task.completed", "task-1\\x1b[2J", "film", "204"]
    assert [line for line in err.splitlines() if line.startswith("refused: ")] == [
        "refused: no signature matches",
        "refused: header 'webhook-id' is missing",
        "refused: the length is missing, or too much",
    ]
    assert "\x1b[2J" not in out + err


def test_they_are_passed_on_with_signature_and_answer(tmp_path: Path, service: Service) -> None:
    service.on("POST", "/app", Answer(500, b""), Answer(200, b""))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "up.json").write_text(json.dumps({"webhook_secret": SECRET}))
    words = ("--dir", "state", "--forward", f"{service.url}/app", "--count", "2", "-o", "json")
    with listening(tmp_path, *words) as (process, url):
        assert httpx.post(url, content=BODY, headers=signed()).status_code == 500, "so that it is delivered anew"
        assert httpx.post(url, content=BODY, headers=signed(OTHER)).status_code == 400
        assert httpx.post(url, content=BODY, headers=signed()).status_code == 200
        out, _ = process.communicate(timeout=60)
    told = [json.loads(line) for line in out.splitlines()]
    assert [(each["status_code"], each["webhook_id"], each["event"]) for each in told] == [
        (500, "msg_1", EVENT),
        (200, "msg_1", EVENT),
    ]
    passed = service.asked("POST", "/app")
    assert len(passed) == 2, "what is not genuine is not passed on"
    Webhook(SECRET).verify(passed[0].body, passed[0].headers)


@pytest.mark.parametrize("form", ["yaml", "name"])
def test_other_forms(tmp_path: Path, form: str) -> None:
    with listening(tmp_path, "--secret", SECRET, "--count", "1", "-o", form) as (process, url):
        httpx.post(url, content=BODY, headers=signed())
        out, _ = process.communicate(timeout=60)
    if form == "name":
        assert out == "task-1\\x1b[2J\n"
    else:
        assert yaml.safe_load(out) == {"webhook_id": "msg_1", "status_code": 204, "event": EVENT}


def test_an_application_that_is_away_and_callers_that_say_nothing(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}/app"
        words = ("--secret", SECRET, "--forward", away, "--count", "1")
        with listening(tmp_path, *words) as (process, url):
            silent = [connected(url) for _ in range(8)]
            assert httpx.post(url, content=BODY, headers=signed()).status_code == 502
            _, err = process.communicate(timeout=60)
            for each in silent:
                each.close()
    assert f"{away} does not answer" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no signing secret"),
        (["--secret", "whsec_!!"], "whsec_ followed by base64"),
        (["--secret", SECRET, "--port", "70000"], "--port"),
        (["--secret", SECRET, "--forward", "http://[::1"], "is no address"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDIATASK_DIR", raising=False)
    done = CliRunner().invoke(app, ["webhook", "listen", *words])
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "!!" not in done.stderr


def test_a_port_in_use_is_said(tmp_path: Path, service: Service) -> None:
    port = service.url.rpartition(":")[2]
    done = CliRunner().invoke(app, ["webhook", "listen", "--secret", SECRET, "--port", port])
    assert (done.exit_code, "in use" in done.stderr) == (1, True)
