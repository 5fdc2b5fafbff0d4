"""The demo's parts: its inputs are real media, its requests valid."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from PIL import Image

from mediatask_client.demo.environment import Delivery
from mediatask_client.demo.run import _documents
from mediatask_client.demo.script import make_inputs, requests
from mediatask_client.demo.voice import PITCH, RATE, voice_profile
from mediatask_crds.tasktypes import task_type, task_types


@pytest.fixture(scope="module")
def files() -> dict[str, tuple[str, bytes]]:
    return make_inputs()


def test_requests_are_valid_and_cover_every_type() -> None:
    bodies = requests("http://127.0.0.1:1", "http://127.0.0.1:1/hook")
    assert {body["task_type"] for body in bodies} == set(task_types())
    for body in bodies:
        task_type(body["task_type"]).model_validate(body["task_data"])
        assert body["callback_url"] == "http://127.0.0.1:1/hook"


def test_pictures_are_pictures_and_the_same_each_time(files: dict[str, tuple[str, bytes]]) -> None:
    assert files == make_inputs()
    for content_type, content in files.values():
        if content_type == "image/jpeg":
            with Image.open(io.BytesIO(content)) as picture:
                assert min(picture.size) >= 720
                assert np.asarray(picture).std() > 15


def test_the_voice_hums_at_its_pitch() -> None:
    with wave.open(io.BytesIO(voice_profile())) as sound:
        assert sound.getframerate() == RATE
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    part = samples[RATE : 2 * RATE]
    correlation = np.correlate(part, part, "full")[len(part) - 1 :]
    lag = RATE // 200 + int(correlation[RATE // 200 : RATE // 70].argmax())
    assert RATE / lag == pytest.approx(PITCH, rel=0.08)


def test_the_documents_are_told_by_the_webhooks() -> None:
    told = {"film": {"payload_media_id": 7}, "prompt": {"payload_media_id": None}, "failed": None}
    deliveries = [Delivery({}, {"task_id": task, "result": result}, "") for task, result in told.items()]
    assert _documents(deliveries) == {"film": "7"}
