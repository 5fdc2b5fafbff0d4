"""Delivery of webhooks: Standard Webhooks v1, in the platform's own body, to checked addresses only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import aiohttp

from mediatask_common.logging import get_logger
from mediatask_common.netguard import ForbiddenAddress, Target, Unresolvable, check_url
from mediatask_common.times import utcnow

from ..deciding.observation import Delivery, Task
from ..deciding.plan import SendWebhook
from ..metrics import Metrics
from .keys import WebhookKeys
from .message import Sign, body, signed_headers
from .post import plain, post, retry_after

log = get_logger(__name__)

_GONE = 410
_ERROR_LIMIT = 1000


class _InvalidUrl(Exception):
    """No try will ever reach such a URL."""


class DeliverWebhook:
    """The effect that tries once to deliver a task's webhook; when and how often is decided elsewhere."""

    name = "webhook"

    def __init__(
        self,
        keys: WebhookKeys,
        sign: Sign,
        allow_networks: Sequence[str],
        timeout: float,
        workers: int,
        metrics: Metrics,
        deny_networks: Sequence[str] = (),
    ) -> None:
        """The effect.

        Args:
            allow_networks: CIDRs that receivers may be in although they are not public.
            timeout: seconds for one try.
            workers: tries at one time. Each may look up a name, in a thread of its own: those of the event loop's
                executor are also needed by others.
            deny_networks: CIDRs that receivers may not be in although they are public.
        """
        self._keys = keys
        self._sign = sign
        self._networks = tuple(allow_networks), tuple(deny_networks)
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="webhook-dns")
        self._metrics = metrics

    def lane(self, task: Task) -> str:
        """The receiver's host."""
        try:
            return (task.spec.callback and urlsplit(task.spec.callback.url).hostname) or ""
        except ValueError:
            return ""

    async def run(self, task: Task, action: SendWebhook) -> Delivery | None:
        """Try once. Every outcome is a Delivery: only a 2xx is a success, a redirect is never followed."""
        callback, state = task.spec.callback, task.status.callback
        if callback is None or state is None or state.id != action.webhook_id:
            return None  # the task has gone on to tell something newer
        content = body(task, state.event, self._sign)
        delivery = await self._deliver(callback.url, content, action)
        self._metrics.webhooks.labels("delivered" if delivery.ok else "failed").inc()
        log.info("webhook", task=task.name, number=action.number, ok=delivery.ok, error=delivery.error)
        return delivery

    def failed(self, action: SendWebhook, error: Exception) -> Delivery:
        return Delivery(action.webhook_id, action.number, ok=False, error=f"internal error: {type(error).__name__}")

    async def _deliver(self, url: str, content: bytes, action: SendWebhook) -> Delivery:
        def failure(error: str, *, permanent: bool = False) -> Delivery:
            return Delivery(
                action.webhook_id, action.number, ok=False, error=plain(error, _ERROR_LIMIT), permanent=permanent
            )

        lookup = asyncio.get_running_loop().run_in_executor(self._threads, self._check, url)
        try:
            async with asyncio.timeout(self._timeout):
                target = await asyncio.shield(lookup)
                headers = self._headers(target, action.webhook_id, content)
                answer = await post(target, content, headers)
        except TimeoutError:
            # A lookup goes on in its thread: until it ends it counts as one of this receiver's tries.
            await asyncio.wait([lookup])
            return failure(f"no answer within {self._timeout:g} s")
        except (ForbiddenAddress, Unresolvable) as error:
            return failure(str(error))
        except _InvalidUrl as error:
            return failure(str(error), permanent=True)
        except (aiohttp.ClientError, OSError) as error:
            return failure(f"{type(error).__name__}: {error}")
        if 200 <= answer.status < 300:
            return Delivery(action.webhook_id, action.number, ok=True, status_code=answer.status)
        return Delivery(
            action.webhook_id,
            action.number,
            ok=False,
            status_code=answer.status,
            error=f"the receiver answered {answer.status}",
            permanent=answer.status == _GONE,
            retry_after=retry_after(answer.retry_after, utcnow()),
        )

    def _check(self, url: str) -> Target:
        try:
            return check_url(url, *self._networks)
        except ForbiddenAddress:
            raise  # by another address, which the name may get, it can be called
        except ValueError as error:
            raise _InvalidUrl(str(error)) from error

    def _headers(self, target: Target, webhook_id: str, content: bytes) -> dict[str, str]:
        headers = signed_headers(content, webhook_id, self._keys.secrets(), utcnow(), "mediatask-webhook/1")
        api_key = self._keys.api_key(target)
        if api_key is not None:
            headers["x-api-key"] = api_key
        return headers
