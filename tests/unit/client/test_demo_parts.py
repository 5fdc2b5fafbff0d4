"""The demo's parts: its inputs are real media, its requests valid, its receiver strict."""

from __future__ import annotations

import base64
import io
import wave
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from PIL import Image
from standardwebhooks.webhooks import Webhook

from mediatask_client.demo.environment import Environment
from mediatask_client.demo.script import make_inputs, requests
from mediatask_client.demo.voice import PITCH, RATE, voice_profile
from mediatask_crds.tasktypes import task_type, task_types

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
BODY = '{"type": "task.completed", "task_id": "t1"}'


@pytest.fixture(scope="module")
def files() -> dict[str, tuple[str, bytes]]:
    return make_inputs()


def post(environment: Environment, message_id: str = "msg_1", secret: str = SECRET) -> int:
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(message_id, now, BODY),
    }
    return httpx.post(environment.callback_url, content=BODY, headers=headers, trust_env=False).status_code


def test_requests_are_valid_and_cover_every_type() -> None:
    bodies = requests("http://127.0.0.1:1", "http://127.0.0.1:1/hook")
    assert {body["task_type"] for body in bodies} == set(task_types())
    for body in bodies:
        task_type(body["task_type"]).model_validate(body["task_data"])
        assert body["callback_url"] == "http://127.0.0.1:1/hook"


def test_every_input_that_is_named_is_served(files: dict[str, tuple[str, bytes]]) -> None:
    with Environment(files) as environment:
        named = str(requests(environment.url, environment.callback_url))
        for path, (content_type, content) in files.items():
            assert environment.url + path in named
            answer = httpx.get(environment.url + path, trust_env=False)
            assert (answer.content, answer.headers["content-type"]) == (content, content_type)
        assert environment.fetched == set(files)
        assert httpx.get(f"{environment.url}/other", trust_env=False).status_code == 404


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


def test_the_receiver_takes_genuine_webhooks_once() -> None:
    with Environment({}) as environment:
        environment.secret = SECRET
        assert [post(environment), post(environment)] == [204, 204]
        (delivery,) = environment.wait_for(["t1"], timeout=10)
        assert delivery.raw == BODY
        assert Webhook(SECRET).verify(delivery.raw, delivery.headers) == delivery.body


def test_the_receiver_refuses_what_is_not_genuine() -> None:
    with Environment({}) as environment:
        assert post(environment) == 400
        environment.secret = SECRET
        assert post(environment, secret="whsec_" + base64.b64encode(b"x" * 32).decode()) == 400
        assert environment.refused == ["the secret is not known yet", "no signature matches"]
        assert environment.wait_for(["t1"], timeout=0.05) == []
