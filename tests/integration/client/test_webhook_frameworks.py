"""The modules for FastAPI, Flask and Django, in the frameworks themselves."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client as DjangoClient
from django.urls import path
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from flask import Flask
from standardwebhooks.webhooks import Webhook

from mediatask_client.webhooks import WebhookEvent
from mediatask_client.webhooks.django import webhook as django_webhook
from mediatask_client.webhooks.fastapi import webhook as fastapi_webhook
from mediatask_client.webhooks.flask import webhook as flask_webhook
from mediatask_client.webhooks.limits import MOST_BYTES

SECRET, EARLIER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"k", b"e"))
PATH = "/webhooks"

Post = Callable[[bytes, dict[str, str]], int]
taken: list[str] = []
urlpatterns: list[Any] = []


@pytest.fixture(autouse=True)
def _none_taken() -> None:
    taken.clear()


def with_fastapi() -> Post:
    app = FastAPI()

    @app.post(PATH, status_code=204)
    async def receive(event: Annotated[WebhookEvent, Depends(fastapi_webhook([SECRET, EARLIER]))]) -> None:
        taken.append(event["task_id"])

    client = TestClient(app)
    return lambda body, headers: client.post(PATH, content=body, headers=headers).status_code


def with_flask() -> Post:
    app = Flask(__name__)

    @app.post(PATH)
    @flask_webhook([SECRET, EARLIER])
    def receive(event: WebhookEvent) -> tuple[str, int]:
        taken.append(event["task_id"])
        return "", 204

    client = app.test_client()
    return lambda body, headers: client.post(PATH, data=body, headers=headers).status_code


def with_django() -> Post:
    if not settings.configured:
        middleware = ["django.middleware.csrf.CsrfViewMiddleware"]
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=middleware)
        django.setup()

    @django_webhook([SECRET, EARLIER])
    def receive(request: HttpRequest, event: WebhookEvent) -> HttpResponse:
        taken.append(event["task_id"])
        return HttpResponse(status=204)

    urlpatterns[:] = [path(PATH.lstrip("/"), receive)]
    client = DjangoClient(enforce_csrf_checks=True)

    def post(body: bytes, headers: dict[str, str]) -> int:
        status: int = client.post(PATH, body, content_type="application/json", headers=headers).status_code
        return status

    return post


@pytest.fixture(params=[with_fastapi, with_flask, with_django], ids=["fastapi", "flask", "django"])
def post(request: pytest.FixtureRequest) -> Post:
    made: Post = request.param()
    return made


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(moment, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signature}


BODY = json.dumps({"type": "task.completed", "task_id": "task-1", "text": "façade"}, ensure_ascii=False).encode()


@pytest.mark.parametrize("secret", [SECRET, EARLIER])
def test_a_genuine_webhook_reaches_the_view(post: Post, secret: str) -> None:
    assert post(BODY, signed(BODY, secret)) == 204
    assert taken == ["task-1"]


def test_what_is_not_genuine_does_not(post: Post) -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    assert post(BODY, {}) == 400
    assert post(BODY, signed(BODY, other)) == 400
    assert post(BODY + b" ", signed(BODY)) == 400
    assert post(BODY, signed(BODY, at=time.time() - 3600)) == 400
    assert taken == []


def test_a_body_without_end_is_not_read(post: Post) -> None:
    huge = b" " * (MOST_BYTES + 1)
    assert post(huge, signed(huge)) == 413
    assert taken == []
