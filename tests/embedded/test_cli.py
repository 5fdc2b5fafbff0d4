"""The command line and the SDK against the local mode: what a person types on the first day."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mediatask_client import AsyncClient, Client, Conflict, InvalidRequest, NotFound


@pytest.fixture
def cli(embedded_mode: Any, tmp_path: Path) -> Any:
    """Runs `mediatask` in an empty folder; answers (exit code, stdout, stderr)."""
    settings = {"MEDIATASK_URL": embedded_mode.api_url, "MEDIATASK_API_KEY": embedded_mode.api_key}

    def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-c", "from mediatask_client.cli import main; main()", *words]
        done = subprocess.run(
            command, env=os.environ | settings, cwd=tmp_path, capture_output=True, text=True, timeout=170, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_submit_wait_download_list_open(cli: Any, tmp_path: Path) -> None:
    code, out, err = cli(
        *("submit", "test_prompt", "Say hello to {{name}}", "--set", "test_parameters.name=Morgan", "-p", "cli"),
        *("--download", "out", "-o", "json"),
    )
    assert code == 0, err
    task = json.loads(out)
    assert (task["status"], task["project_id"]) == ("completed", "cli")
    assert "completed" in err
    written = json.loads((tmp_path / "out" / f"{task['task_id']}.json").read_text())
    assert "Morgan" in written["output_data"]["prompt"]

    code, out, _ = cli("list", "-p", "cli", "-o", "json")
    assert [entry["task_id"] for entry in json.loads(out)["tasks"]] == [task["task_id"]]
    code, out, _ = cli("open", task["task_id"], "--to", "again.json", "--no-view")
    assert (code, out) == (0, "again.json\n")
    assert json.loads((tmp_path / "again.json").read_text()) == written
    code, out, _ = cli("logs", task["task_id"])
    assert code == 0
    code, _, err = cli("cancel", task["task_id"])
    assert code == 1
    assert "HTTP 409" in err


def test_mistakes_are_answered_with_what_was_meant(cli: Any) -> None:
    code, _, err = cli("submit", "generate_image", "x", "--set", "widht=64")
    assert code == 2
    assert "did you mean width?" in err
    code, _, err = cli("submit", "generate_imag", "x")
    assert code == 2
    assert "did you mean generate_image?" in err
    code, _, err = cli("submit", "generate_image", "x", "--set", "width=63")
    assert code == 1
    assert err.count("width") == 1
    code, _, err = cli("get", "no-such-task")
    assert code == 1
    assert "HTTP 404" in err


def test_a_task_that_cannot_be_done_fails_the_command(cli: Any) -> None:
    code, _, err = cli("submit", "test_prompt", "Say hello to {{name}}", "--wait")
    assert code == 1
    assert "name" in err


def test_the_catalogue(cli: Any) -> None:
    _, out, _ = cli("types")
    for kind in ("generate_image", "generate_video", "process_audio", "test_prompt"):
        assert kind in out
    _, out, _ = cli("types", "generate_video")
    assert "storyboard_images" in out


def test_sdk(embedded_mode: Any) -> None:
    with Client(embedded_mode.api_url, embedded_mode.api_key) as client:
        data = {"prompt_template": "hi"}
        first = client.submit("sdk", "test_prompt", data, idempotency_key="once", metadata={"user_id": "u"})
        again = client.submit("sdk", "test_prompt", data, idempotency_key="once", metadata={"user_id": "u"})
        assert first == again
        with pytest.raises(InvalidRequest, match="HTTP 422"):
            client.submit("sdk", "test_prompt", {"prompt_template": "other"}, idempotency_key="once")
        done = client.wait(first.task_id, timeout=60).raise_for_status()
        assert done.seconds is not None
        assert [task.task_id for task in client.list("sdk")] == [first.task_id]
        with pytest.raises(Conflict):
            client.retry(first.task_id)
        with pytest.raises(NotFound):
            client.get("no-such-task")


def test_a_picture_is_seen_while_it_is_drawn(embedded_mode: Any) -> None:
    asked = {"prompt": "a red house by the sea", "width": 256, "height": 256, "num_images": 2}
    with Client(embedded_mode.api_url, embedded_mode.api_key) as client:
        task_id = client.submit("previews", "generate_image", asked).task_id
        # It is followed long before the job's libraries are imported.
        events = list(client.stream(task_id, include=["preview"]))
    assert events[-1].kind == "completed"
    previews = [event for event in events if event.picture]
    assert previews
    for event in previews:
        assert event.picture is not None
        assert event.current_step == "generating_image"
        with Image.open(io.BytesIO(event.picture)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (128, 128))
            reds = picture.convert("RGB").getchannel("R").getextrema()
            assert reds[1] > 100, "not a blank one"


async def test_sdk_for_asyncio(embedded_mode: Any, tmp_path: Path) -> None:
    async with AsyncClient(embedded_mode.api_url, embedded_mode.api_key) as client:
        submitted = await client.submit("sdk_async", "test_prompt", {"prompt_template": "hi"})
        (await client.wait(submitted.task_id, timeout=60)).raise_for_status()
        assert (await client.download(submitted.task_id, tmp_path)).suffix == ".json"
        assert [task.task_id async for task in client.list("sdk_async")] == [submitted.task_id]
