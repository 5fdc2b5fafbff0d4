"""The route handler that docs/integrations/auto-movie.md offers runs with Node, and takes what is genuine alone."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mediatask_operator.effects.message import signature
from support.auto_movie import RouteHandler, node_handler

OLD, NEW, FOREIGN = (letter * 32 for letter in (b"o", b"n", b"f"))
BODY = json.dumps({"type": "task.completed", "task_id": "t-1", "metadata": {"title": "Straßenszene"}}).encode()


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouteHandler]:
    secrets = " ".join("whsec_" + base64.b64encode(secret).decode() for secret in (OLD, NEW))
    with node_handler(tmp_path_factory.mktemp("node"), secrets) as running:
        yield running


def headers(*secrets: bytes, age: float = 0, body: bytes = BODY) -> dict[str, str]:
    timestamp = str(int(time.time() - age))
    signed = " ".join(signature(secret, "msg_1", timestamp, body) for secret in secrets)
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signed}


@pytest.mark.parametrize("secrets", [(OLD,), (NEW,), (FOREIGN, NEW)], ids=["old", "new", "one of two"])
def test_a_genuine_webhook_is_handed_on(handler: RouteHandler, secrets: tuple[bytes, ...]) -> None:
    answer = httpx.post(handler.url, content=BODY, headers=headers(*secrets))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert handler.next() == {"id": "msg_1", "event": json.loads(BODY)}


Headers = dict[str, str]
FORGED: dict[str, Callable[[Headers], Headers]] = {
    "of a foreign secret": lambda _: headers(FOREIGN),
    "of six minutes ago": lambda _: headers(NEW, age=360),
    "of in six minutes": lambda _: headers(NEW, age=-360),
    "of another body": lambda _: headers(NEW, body=BODY + b" "),
    "of another id": lambda sent: {**sent, "webhook-id": "msg_2"},
    "of another time": lambda sent: {**sent, "webhook-timestamp": str(int(sent["webhook-timestamp"]) + 1)},
    "of another version": lambda sent: {
        **sent,
        "webhook-signature": sent["webhook-signature"].replace("v1,", "v2,"),
    },
    "with a part of it": lambda sent: {**sent, "webhook-signature": sent["webhook-signature"][:-8]},
    "with an empty one": lambda sent: {**sent, "webhook-signature": "v1,"},
    "with a time that is none": lambda sent: {**sent, "webhook-timestamp": "now"},
    "without a signature": lambda sent: {name: sent[name] for name in ("webhook-id", "webhook-timestamp")},
    "without an id": lambda sent: {name: sent[name] for name in ("webhook-timestamp", "webhook-signature")},
    "without anything": lambda _: {},
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_anything_else_is_refused(handler: RouteHandler, forge: Callable[[Headers], Headers]) -> None:
    assert httpx.post(handler.url, content=BODY, headers=forge(headers(NEW))).status_code == 401


def test_a_body_without_end_is_not_read_to_its_end(handler: RouteHandler) -> None:
    assert httpx.post(handler.url, content=b"x" * (1024 * 1024 + 1), headers=headers(NEW)).status_code == 413


def test_without_secrets_nothing_is_genuine(tmp_path: Path) -> None:
    with node_handler(tmp_path, "") as running:
        empty = headers(b"")
        assert httpx.post(running.url, content=BODY, headers=empty).status_code == 401
