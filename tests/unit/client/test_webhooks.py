"""`webhooks.verify` agrees with the independent implementation, in what it takes and in what it refuses."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from mediatask_client.webhooks import WebhookError, verify

NOW = 1_790_000_000
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = json.dumps({"type": "task.completed", "task_id": "t", "text": "façade"}, ensure_ascii=False)


def signed(body: str = BODY, secret: str = SECRET, message_id: str = "msg_1", at: int = NOW) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body),
    }


@given(
    key=st.binary(min_size=1, max_size=64),
    value=st.dictionaries(st.text(), st.integers() | st.text()),
    message_id=st.text("abcdefgh0123456789_-", min_size=1),
)
def test_takes_what_the_official_library_signs(key: bytes, value: dict[str, object], message_id: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(value)
    assert verify(body.encode(), signed(body, secret, message_id), secret, now=NOW) == value


@given(position=st.integers(0, len(BODY.encode()) - 1), flip=st.integers(1, 255))
def test_refuses_every_changed_byte(position: int, flip: int) -> None:
    raw = bytearray(BODY.encode())
    raw[position] ^= flip
    with pytest.raises(WebhookError, match="no signature matches"):
        verify(bytes(raw), signed(), SECRET, now=NOW)


def test_the_official_library_refuses_and_takes_the_same() -> None:
    now = int(datetime.now(UTC).timestamp())
    for headers in (signed(at=now), signed(at=now, secret=OTHER)):
        verdicts = []
        for check in (lambda h: Webhook(SECRET).verify(BODY, h), lambda h: verify(BODY, h, SECRET)):
            try:
                check(headers)
                verdicts.append(True)
            except Exception:
                verdicts.append(False)
        assert verdicts[0] == verdicts[1]


def test_one_fitting_signature_of_several_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,xyz {signed(secret=OTHER)['webhook-signature']} {headers['webhook-signature']}"
    assert verify(BODY, headers, SECRET, now=NOW)["task_id"] == "t"


def test_several_secrets_while_they_rotate() -> None:
    assert verify(BODY, signed(), [OTHER, SECRET], now=NOW)
    with pytest.raises(WebhookError, match="no signature matches"):
        verify(BODY, signed(), [OTHER], now=NOW)


def test_header_names_in_any_case() -> None:
    assert verify(BODY, {name.title(): value for name, value in signed().items()}, SECRET, now=NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=-6), timedelta(minutes=6)])
def test_refuses_old_and_future_messages(off: timedelta) -> None:
    with pytest.raises(WebhookError, match="too far from now"):
        verify(BODY, signed(), SECRET, now=NOW + off.total_seconds())


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_refuses_a_message_without_a_header(name: str) -> None:
    headers = signed()
    del headers[name]
    with pytest.raises(WebhookError, match=name):
        verify(BODY, headers, SECRET, now=NOW)


@pytest.mark.parametrize("text", ["", "now", "1e9", "٣", "-5"])
def test_refuses_a_strange_timestamp(text: str) -> None:
    with pytest.raises(WebhookError, match="not a Unix time"):
        verify(BODY, signed() | {"webhook-timestamp": text}, SECRET, now=NOW)


@pytest.mark.parametrize("signature", ["", "v1,", "v1,é", "v2,abc", "v1 abc"])
def test_refuses_strange_signatures(signature: str) -> None:
    with pytest.raises(WebhookError):
        verify(BODY, signed() | {"webhook-signature": signature}, SECRET, now=NOW)


@pytest.mark.parametrize("body", ["[]", "not json", '"text"'])
def test_refuses_a_body_that_is_no_object(body: str) -> None:
    with pytest.raises(WebhookError, match="not a JSON object"):
        verify(body, signed(body), SECRET, now=NOW)


def test_a_broken_secret_is_the_receivers_fault() -> None:
    with pytest.raises(ValueError, match="whsec_") as raised:
        verify(BODY, signed(), "whsec_not base64", now=NOW)
    assert not isinstance(raised.value, WebhookError)
