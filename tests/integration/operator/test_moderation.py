"""Checks of requests with a real classifier on loopback: what it may do to us, and what of a text gets out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from mediatask_common.moderation import read_rules
from mediatask_operator.deciding.observation import Moderation, Task
from mediatask_operator.deciding.plan import CheckRequest
from mediatask_operator.effects.keys import WebhookKeys
from mediatask_operator.effects.moderation.check import CheckRequests
from mediatask_operator.effects.moderation.classifier import Classifier
from mediatask_operator.metrics import Metrics
from support.receivers import Handler, raw_receiver, receiver
from support.taskworld import a_task

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, so").decode()
CANARY = "canary-7f3a"
BOOK = read_rules({"r": "id: no-gore\naction: refuse\nwords: [gore]\n", "h": "id: look\naction: hold\nwords: [gun]\n"})


@pytest.fixture
def keys(tmp_path: Path) -> WebhookKeys:
    file = tmp_path / "secrets"
    file.write_text(SECRET)
    return WebhookKeys(file, None, [], Metrics().key_file_damaged)


async def checked(
    prompt: str, keys: WebhookKeys, port: int | None, networks: tuple[str, ...] = ("127.0.0.0/8",)
) -> Any:
    async def data(task: Task) -> dict[str, Any]:
        return {"prompt": prompt}

    classifier = None
    if port is not None:
        classifier = Classifier(f"http://127.0.0.1:{port}/check", "a-key", keys, networks, 0.5, 2)
    effect = CheckRequests(data, lambda: BOOK, classifier, Metrics())
    outcome = await effect.run(Task.parse(a_task()), CheckRequest(1, "image"))
    assert isinstance(outcome, Moderation)
    assert CANARY not in repr(outcome)
    return outcome


def answering(said: Any, status: int = 200) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(said, status=status, headers={"Retry-After": "7"})

    return answer


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_receiver(serve) as port:
        yield port


async def test_a_request_is_shown_signed_and_with_its_key(keys: WebhookKeys) -> None:
    shown: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        Webhook(SECRET).verify(body, dict(request.headers))
        assert request.headers["x-api-key"] == "a-key"
        shown.append(await request.json())
        return web.json_response({"decision": "hold", "score": 0.7, "why": CANARY})

    async with receiver(answer) as port:
        outcome = await checked(f"a cat {CANARY}", keys, port)
    assert (outcome.decision, outcome.score, outcome.rules, outcome.error) == ("hold", 0.7, (), "")
    assert shown[0]["texts"] == [f"a cat {CANARY}"]
    assert shown[0]["class_name"] == "image"


@pytest.mark.parametrize(
    ("prompt", "said", "decision", "rules"),
    [
        ("a gun", "allow", "hold", ("look",)),
        ("a gun", "refuse", "refuse", ()),
        ("a cat", "allow", "allow", ()),
    ],
)
async def test_the_stricter_word_counts(
    keys: WebhookKeys, prompt: str, said: str, decision: str, rules: tuple[str, ...]
) -> None:
    async with receiver(answering({"decision": said})) as port:
        outcome = await checked(prompt, keys, port)
    assert (outcome.decision, outcome.rules) == (decision, rules)


async def test_what_rules_refuse_is_not_shown_to_it(keys: WebhookKeys) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"decision": "allow"})

    async with receiver(answer) as port:
        outcome = await checked(f"gore {CANARY}", keys, port)
    assert (outcome.decision, outcome.rules, asked) == ("refuse", ("no-gore",), [])


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"decision": "maybe", "echo": CANARY}, 200),
        ({"decision": "allow", "score": 7}, 200),
        ([CANARY], 200),
        ({"decision": "allow", "padding": "x" * 20_000}, 200),
        ({"decision": "allow"}, 302),
        ({"error": CANARY}, 500),
    ],
)
async def test_an_answer_that_is_none_counts_as_none_and_is_not_quoted(
    keys: WebhookKeys, said: Any, status: int
) -> None:
    async with receiver(answering(said, status)) as port:
        outcome = await checked(f"a cat {CANARY}", keys, port)
    assert outcome.error
    assert outcome.retry_after == (None if status == 200 else 7.0)


async def test_a_classifier_that_does_not_answer_costs_its_time_alone(keys: WebhookKeys) -> None:
    async with silent() as port:
        outcome = await checked("a cat", keys, port)
    assert outcome.error == "no answer within 0.5 s"


async def test_it_is_asked_in_its_networks_alone(keys: WebhookKeys) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"decision": "allow"})

    async with receiver(answer) as port:
        outcome = await checked("a cat", keys, port, networks=("10.0.0.0/8",))
    assert "not a public address" in outcome.error
    assert not asked
