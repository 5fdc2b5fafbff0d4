"""The local mode beside a real PayloadCMS: media gets its document, whoever is away or killed in between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mediatask_client import Client
from mediatask_local.up import UpInfo, embedded
from support.mode import Receiver, Rest, kill, until
from support.payload.server import RunningPayload, payload_server


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPayload]:
    with payload_server(tmp_path_factory.mktemp("payload")) as server:
        yield server


@pytest.fixture(scope="module")
def mode(payload: RunningPayload, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpInfo]:
    """`mediatask up` with the platform's variables in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYLOAD_API_URL", payload.url)
        patch.setenv("PAYLOAD_API_KEY", payload.key)
        patch.setenv("MEDIATASK_PAYLOAD_WEBHOOK_WAIT_SECONDS", "60")
        patch.setenv("MEDIATASK_PAYLOAD_FIELDS", '{"alt": "{task_data.prompt_template}", "project_id": "{project_id}"}')
        with embedded(tmp_path_factory.mktemp("up") / "state") as info:
            yield info


@pytest.fixture
def receiver(mode: UpInfo) -> Iterator[Receiver]:
    with Receiver() as receiver:
        receiver.secret = mode.webhook_secret
        yield receiver


def completed(rest: Rest, task: str) -> dict[str, Any]:
    until(lambda: rest.has_ended(task))
    answer = rest.status(task)
    assert answer["status"] == "completed", answer
    return answer


def test_media_has_its_document_before_the_webhook_goes(
    payload: RunningPayload, mode: UpInfo, receiver: Receiver
) -> None:
    rest = Rest(mode)
    task = rest.submit("registered", "films", callback_url=receiver.url)
    message = until(lambda: receiver.messages.get(task))[0]
    (document,) = [document for document in payload.documents() if document["task_id"] == task]
    answer = completed(rest, task)
    assert message["result"]["payload_media_id"] == answer["result"]["payload_media_id"] == str(document["id"])
    assert (document["project_id"], document["alt"]) == ("films", "a {{what}}")
    media = httpx.get(answer["result"]["media_url"]).content
    assert hashlib.sha256(payload.content(document)).digest() == hashlib.sha256(media).digest()


def test_prompt_tests_have_none(payload: RunningPayload, mode: UpInfo, receiver: Receiver) -> None:
    rest = Rest(mode)
    task = rest.submit("prompt test", "test_project", callback_url=receiver.url)
    assert until(lambda: receiver.messages.get(task))[0]["result"]["payload_media_id"] is None
    assert task not in {document["task_id"] for document in payload.documents()}


def test_it_is_among_the_services(payload: RunningPayload, mode: UpInfo) -> None:
    with Client(mode.api_url, mode.api_key) as client:
        [found] = [service for service in client.services().services if service.name == "payload"]
    assert (found.url, found.state) == (payload.url, "up")
    assert found.latency_ms is not None


def test_a_payload_that_is_away_is_caught_up_with_after_a_killed_operator(
    payload: RunningPayload, mode: UpInfo
) -> None:
    rest, folder = Rest(mode), mode.kubeconfig.parents[1]
    payload.stop()
    try:
        tasks = [rest.submit(f"away {number}", "films") for number in range(3)]
        for task in tasks:
            assert completed(rest, task)["result"]["payload_media_id"] is None
        kill(mode, folder, "operator")
    finally:
        payload.start()
    # Each failure made the pause longer, and yet one goes to look every half minute.
    ids = {task: until(lambda task=task: rest.status(task)["result"]["payload_media_id"], 120) for task in tasks}
    found = [(document["task_id"], str(document["id"])) for document in payload.documents()]
    assert sorted(pair for pair in found if pair[0] in ids) == sorted(ids.items())
