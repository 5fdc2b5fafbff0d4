"""The server of the demo: it serves the inputs, and its receiver of webhooks is strict."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import httpx
from standardwebhooks.webhooks import Webhook

from mediatask_client.demo.environment import Environment
from mediatask_client.demo.script import make_inputs, requests

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
BODY = '{"type": "task.completed", "task_id": "t1"}'


def post(environment: Environment, message_id: str = "msg_1", secret: str = SECRET) -> int:
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(message_id, now, BODY),
    }
    return httpx.post(environment.callback_url, content=BODY, headers=headers, trust_env=False).status_code


def test_every_input_that_is_named_is_served() -> None:
    files = make_inputs()
    with Environment(files) as environment:
        named = str(requests(environment.url, environment.callback_url))
        for path, (content_type, content) in files.items():
            assert environment.url + path in named
            answer = httpx.get(environment.url + path, trust_env=False)
            assert (answer.content, answer.headers["content-type"]) == (content, content_type)
        assert environment.fetched == set(files)
        assert httpx.get(f"{environment.url}/other", trust_env=False).status_code == 404


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
