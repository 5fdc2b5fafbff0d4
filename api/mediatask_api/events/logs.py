"""The log of a task's attempts as events, for those who ask for it."""

from __future__ import annotations

import asyncio

from mediatask_common.eventpositions import ENDED, Position
from mediatask_common.kube import Kube, KubeError, Object
from mediatask_common.store import ArtifactStore
from mediatask_common.times import rfc3339, utcnow

from ..http.errors import ApiError
from ..tasks.logs import open_log
from ..tasks.reading.reader import TaskReader
from .event import Event
from .subscription import Subscription

AGAIN_SECONDS = 1.0
LONGEST_LINE = 4096
"""Characters of a line; the rest is cut off."""


async def tell_log(
    kube: Kube, store: ArtifactStore, reader: TaskReader, task: Object, subscription: Subscription, seconds: float
) -> None:
    """Offer the log's lines of the latest attempt, and of those that follow, until cancelled."""
    name, read = task["metadata"]["name"], None
    while subscription.closed is None:
        attempt = (task.get("status") or {}).get("attempt") or 0
        if attempt and attempt != read:
            try:
                async with open_log(kube, store, task, attempt, seconds, _nobody_has_gone) as lines:
                    async for line in lines:
                        await subscription.room()
                        subscription.offer(_event(task, attempt, line))
                read = attempt
            except (ApiError, KubeError):
                pass  # it has not started, or its pod is gone
        await asyncio.sleep(AGAIN_SECONDS)
        try:
            task = await reader.get(name) or task
        except KubeError:
            continue


async def _nobody_has_gone() -> bool:
    return False


def _event(task: Object, attempt: int, line: bytes) -> Event:
    name, project = task["metadata"]["name"], task["spec"]["projectId"]
    data = {
        "task_id": name,
        "project_id": project,
        "attempt": attempt,
        "timestamp": rfc3339(utcnow(), micro=True),
        "line": line.decode(errors="replace").rstrip("\r\n")[:LONGEST_LINE],
    }
    return Event(name, project, task["metadata"]["uid"][:8], "log", Position(0, attempt, ENDED), data)
