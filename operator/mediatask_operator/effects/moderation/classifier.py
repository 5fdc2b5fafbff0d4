"""The classifier's hook: one POST of a request's texts, one small JSON answer.

    {"type": "moderation.check", "task_id", "project_id", "task_type", "class_name", "texts": ["..."]}
    {"decision": "allow" | "hold" | "refuse", "score": 0.93}

It is signed as webhooks are (Standard Webhooks), and carries the key that the settings name. The classifier is
the platform's own, but its address is checked at every call: it leads to a public address or into the networks that
are set for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

import aiohttp
import orjson
from pydantic import BaseModel, Field, ValidationError

from mediatask_common.netguard import ForbiddenAddress, Unresolvable, check_url
from mediatask_common.times import utcnow

from ...deciding.observation import Task
from ..keys import WebhookKeys
from ..message import signed_headers
from ..post import plain, post, retry_after

ANSWER_LIMIT = 16 * 1024
"""Bytes of an answer."""
_ERROR_LIMIT = 200


class ClassifierFailed(Exception):
    """There is no answer that could be used."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(plain(message, _ERROR_LIMIT))
        self.retry_after = retry_after


class Classified(BaseModel):
    """What the classifier says; whatever else an answer holds is not looked at, and never quoted."""

    decision: Literal["allow", "hold", "refuse"]
    score: Annotated[float, Field(ge=0, le=1)] | None = None


class Classifier:
    """An HTTP classifier."""

    def __init__(
        self, url: str, api_key: str | None, keys: WebhookKeys, networks: Sequence[str], timeout: float, workers: int
    ) -> None:
        """The classifier at `url`.

        Args:
            networks: CIDRs that it may be in although they are not public.
            timeout: seconds for one answer.
            workers: questions at a time; each may look up a name, in a thread of its own.
        """
        self._url = url
        self._api_key = api_key
        self._keys = keys
        self._networks = tuple(networks)
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="classifier-dns")

    async def ask(self, task: Task, number: int, class_name: str, spoken: list[str]) -> Classified:
        """What it says about the texts. Raises ClassifierFailed."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask(task, number, class_name, spoken)
        except TimeoutError:
            raise ClassifierFailed(f"no answer within {self._timeout:g} s") from None
        except (ForbiddenAddress, Unresolvable, ValueError) as error:
            raise ClassifierFailed(str(error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ClassifierFailed(f"no connection: {type(error).__name__}") from None

    async def _ask(self, task: Task, number: int, class_name: str, spoken: list[str]) -> Classified:
        content = orjson.dumps(
            {
                "type": "moderation.check",
                "task_id": task.name,
                "project_id": task.spec.project_id,
                "task_type": task.spec.task_type,
                "class_name": class_name,
                "texts": spoken,
            }
        )
        loop = asyncio.get_running_loop()
        target = await loop.run_in_executor(self._threads, check_url, self._url, self._networks)
        answer = await post(target, content, self._headers(task, number, content), read=ANSWER_LIMIT)
        if answer.status != 200:
            wait = retry_after(answer.retry_after, utcnow())
            raise ClassifierFailed(f"it answered {answer.status}", wait)
        if answer.body is None:
            raise ClassifierFailed(f"its answer has more than {ANSWER_LIMIT} bytes")
        try:
            return Classified.model_validate_json(answer.body)
        except ValidationError:
            raise ClassifierFailed("its answer is not one") from None

    def _headers(self, task: Task, number: int, content: bytes) -> dict[str, str]:
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"mediatask:{task.uid}/moderation/{number}"))
        headers = signed_headers(content, identity, self._keys.secrets(), utcnow(), "mediatask-moderation/1")
        if self._api_key is not None:
            headers["x-api-key"] = self._api_key
        return headers
