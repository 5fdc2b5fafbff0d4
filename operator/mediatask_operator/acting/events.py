"""Kubernetes Events about tasks, so that `kubectl describe` tells the story. Best effort: they never hold up work."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

from mediatask_common.kube import EVENTS, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import API_VERSION, OPERATOR_FIELD_MANAGER

from ..deciding.observation import Task
from ..deciding.plan import PostEvent
from ..objects import Object
from .api_writer import ApiWriter

log = get_logger(__name__)

BACKLOG = 1000
"""Events that may wait; in a burst the newest are dropped rather than anything else delayed."""
_MESSAGE_LIMIT = 1024


class EventPoster:
    """Posts Events one after the other."""

    def __init__(self, api: ApiWriter) -> None:
        self._api = api
        self._backlog: asyncio.Queue[Object] = asyncio.Queue(BACKLOG)

    def post(self, task: Task, action: PostEvent) -> None:
        """Post an Event some time soon, if at all."""
        with contextlib.suppress(asyncio.QueueFull):
            self._backlog.put_nowait(_event(task, action))

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            event = await self._backlog.get()
            try:
                await self._api.create(EVENTS, event, event["metadata"]["namespace"])
            except KubeError as error:
                log.debug("event not posted", error=str(error))


def _event(task: Task, action: PostEvent) -> Object:
    now = rfc3339(utcnow())
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{task.name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": task.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": "MediaTask",
            "name": task.name,
            "namespace": task.namespace,
            "uid": task.uid,
        },
        "type": "Warning" if action.warning else "Normal",
        "reason": str(action.reason),
        "message": action.message[:_MESSAGE_LIMIT],
        "source": {"component": OPERATOR_FIELD_MANAGER},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
