"""Delivery of webhooks: Standard Webhooks v1, in the platform's own body, to checked addresses only."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import socket
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

from mediatask_common.logging import get_logger
from mediatask_common.netguard import ForbiddenAddress, Target, Unresolvable, check_url
from mediatask_common.times import utcnow
from mediatask_crds.task import Phase

from ..deciding.observation import Delivery, Task
from ..deciding.plan import SendWebhook
from ..metrics import Metrics

log = get_logger(__name__)

_SECRET_PREFIX = "whsec_"
_GONE = 410


class WebhookKeys:
    """Signing secrets and the receiver's API key, read again whenever their files change."""

    def __init__(self, secrets_file: Path | None, api_key_file: Path | None) -> None:
        """Raise ValueError when a secret is not `whsec_` and base64, OSError when a file cannot be read."""
        self._secrets_file = secrets_file
        self._api_key_file = api_key_file
        self._read: dict[Path, tuple[int, str]] = {}
        self.secrets()
        self.api_key()

    def secrets(self) -> list[bytes]:
        """All secrets that sign now."""
        return [decode_secret(line) for line in self._text(self._secrets_file).split()]

    def api_key(self) -> str | None:
        """The value of X-API-Key, where one is configured."""
        return self._text(self._api_key_file).strip() or None

    def _text(self, path: Path | None) -> str:
        if path is None:
            return ""
        changed = path.stat().st_mtime_ns
        if path not in self._read or self._read[path][0] != changed:
            self._read[path] = (changed, path.read_text())
        return self._read[path][1]


class WebhookSender:
    """Makes single tries; when and how often is decided elsewhere."""

    def __init__(self, keys: WebhookKeys, allow_networks: Sequence[str], timeout: float) -> None:
        self._keys = keys
        self._allow_networks = tuple(allow_networks)
        self._timeout = timeout

    async def deliver(self, task: Task, webhook_id: str, number: int) -> Delivery:
        """Try once. Every outcome is a Delivery: only a 2xx is a success, a redirect is never followed."""
        callback = task.spec.callback
        state = task.status.callback
        if callback is None or state is None:
            return Delivery(webhook_id, number, ok=False, error="the task has no callback", permanent=True)
        content = orjson.dumps(body(task, state.event))
        try:
            target = await asyncio.wait_for(
                asyncio.to_thread(check_url, callback.url, self._allow_networks), self._timeout
            )
            headers = self._headers(webhook_id, content)
            return await self._post(callback.url, target, content, headers, webhook_id, number)
        except (ForbiddenAddress, Unresolvable) as error:
            return Delivery(webhook_id, number, ok=False, error=str(error))
        except TimeoutError:
            return Delivery(webhook_id, number, ok=False, error=f"no answer within {self._timeout:.0f} s")
        except ValueError as error:
            return Delivery(webhook_id, number, ok=False, error=str(error), permanent=True)
        except (aiohttp.ClientError, OSError) as error:
            return Delivery(webhook_id, number, ok=False, error=f"{type(error).__name__}: {error}")

    def _headers(self, webhook_id: str, content: bytes) -> dict[str, str]:
        timestamp = str(int(utcnow().timestamp()))
        headers = {
            "content-type": "application/json",
            "user-agent": "mediatask-webhook/1",
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
        }
        signatures = [signature(secret, webhook_id, timestamp, content) for secret in self._keys.secrets()]
        if signatures:
            headers["webhook-signature"] = " ".join(signatures)
        api_key = self._keys.api_key()
        if api_key is not None:
            headers["x-api-key"] = api_key
        return headers

    async def _post(
        self, url: str, target: Target, content: bytes, headers: dict[str, str], webhook_id: str, number: int
    ) -> Delivery:
        connector = aiohttp.TCPConnector(resolver=_Pinned(target), use_dns_cache=False, force_close=True)
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.post(url, data=content, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
            if 200 <= status < 300:
                return Delivery(webhook_id, number, ok=True, status_code=status)
            return Delivery(
                webhook_id,
                number,
                ok=False,
                status_code=status,
                error=f"the receiver answered {status}",
                permanent=status == _GONE,
                retry_after=_retry_after(response.headers.get("Retry-After")),
            )


class DeliverWebhook:
    """The effect that tries once to deliver a task's webhook."""

    name = "webhook"

    def __init__(self, sender: WebhookSender, metrics: Metrics) -> None:
        self._sender = sender
        self._metrics = metrics

    async def run(self, task: Task, action: SendWebhook) -> Delivery | None:
        if task.status.callback is None or task.status.callback.id != action.webhook_id:
            return None  # the task has gone on to tell something newer
        delivery = await self._sender.deliver(task, action.webhook_id, action.number)
        self._metrics.webhooks.labels("delivered" if delivery.ok else "failed").inc()
        log.info("webhook", task=task.name, number=action.number, ok=delivery.ok, error=delivery.error)
        return delivery


class _Pinned(AbstractResolver):
    """Answers every name with the one address that was checked; Host, SNI and certificate stay with the name."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._target.address
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Nothing to close."""


def body(task: Task, event: str) -> dict[str, Any]:
    """The message: the platform's fields, plus `type` and `timestamp` as Standard Webhooks wants them.

    It follows from the status alone, so that every try carries the same bytes.
    """
    status = task.status
    result = status.result
    ended = status.phase is not None and status.phase.terminal
    return {
        "type": event,
        "timestamp": status.completed_at if ended else status.started_at,
        "task_id": task.name,
        "status": status.phase,
        "project_id": task.spec.project_id,
        "result": {
            "media_url": result.media_url,
            "payload_media_id": result.payload_media_id,
            "metadata": result.metadata,
        }
        if result is not None and status.phase is Phase.COMPLETED
        else None,
        "error": status.error.model_dump(mode="json") if status.error is not None else None,
        "metadata": task.spec.metadata,
    }


def signature(secret: bytes, webhook_id: str, timestamp: str, content: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), content))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def decode_secret(line: str) -> bytes:
    """The key bytes of a `whsec_...` secret. Raises ValueError for anything else."""
    try:
        if not line.startswith(_SECRET_PREFIX):
            raise ValueError
        return base64.b64decode(line.removeprefix(_SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("a webhook secret has to be `whsec_` followed by base64") from None


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of the header; None where there is none that can be read."""
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - utcnow()).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
