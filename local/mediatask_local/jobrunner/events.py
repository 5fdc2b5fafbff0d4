"""Kubernetes Events, best effort: they are for `kubectl describe`, and nothing depends on them."""

from __future__ import annotations

import asyncio
import secrets

from mediatask_common.kube import EVENTS, Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.times import rfc3339, utcnow

log = get_logger(__name__)


class Events:
    """Writes events in the background; the oldest are dropped when the API server cannot keep up."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._queue: asyncio.Queue[Object] = asyncio.Queue(maxsize=1000)

    def emit(
        self, component: str, about: Object, kind: str, reason: str, message: str, *, warning: bool = False
    ) -> None:
        """Queue an event about an object of that kind, reported by `component`."""
        metadata = about["metadata"]
        moment = rfc3339(utcnow())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:230]}.{secrets.token_hex(8)}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "batch/v1" if kind == "Job" else "v1",
                "kind": kind,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)

    async def run(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._kube.create(EVENTS, event, event["metadata"]["namespace"])
            except KubeError as error:
                log.debug("event dropped", reason=event["reason"], error=str(error))
