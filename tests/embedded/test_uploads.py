"""Files of the caller, and of other tasks, as inputs of real jobs, on both kinds of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediatask_client import Client
from mediatask_local.up import UpInfo, embedded
from support.inputs import png
from support.s3server import s3_program

FILM = {"scene_description": "rain", "duration": 0.5, "fps": 8, "width": 128, "height": 64, "seed": 1}


@pytest.fixture(params=["file", "s3"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    if request.param == "file":
        info: UpInfo = request.getfixturevalue("embedded_mode")
        with Client(info.api_url, info.api_key) as client:
            yield client
        return
    s3_program()
    with embedded(tmp_path / "up", store="s3") as info, Client(info.api_url, info.api_key) as client:
        yield client


def test_a_film_of_an_uploaded_picture_and_a_voice_of_another_task(client: Client, tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    still.write_bytes(png())
    uploaded = client.upload(still, "film").reference
    film = client.submit("film", "generate_video", {**FILM, "storyboard_images": [uploaded, still]}).task_id
    speech: dict[str, Any] = {"text": "It rains.", "format": "wav"}
    first = client.submit("film", "process_audio", speech).task_id
    name = client.wait(first).artifacts()[0].name
    profile = f"task://{first}/{name}"
    second = client.submit("film", "process_audio", {**speech, "character_voice_profile": profile}).task_id
    for task_id in (film, second):
        task = client.wait(task_id).raise_for_status()
        assert task.result is not None
        assert not [text for text in task.result.metadata["warnings"] if "://" in text], task.result.metadata
    assert client.get(film).result.metadata["stills"] == 2  # type: ignore[union-attr]
