"""The end of each attempt's log, kept with the artifacts before it goes with its pod.

The operator does that and not the job: a job that is killed, or runs out of memory, keeps nothing. What is kept already
is known by the store, so that a restart forgets nothing and reads nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import aclosing

from mediatask_common.kube import PODS, Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.store import ArtifactStore, log_key
from mediatask_crds.names import CONTAINER

from ..deciding.observation import Task
from ..deciding.plan import KeepLog

log = get_logger(__name__)

KEPT_BYTES = 256 * 1024
READ_BYTES = 64 * 1024 * 1024
"""Most that is read of one log; kubelets keep less of a container's log."""
LINES = 10_000
SECONDS = 20.0
"""For a pod that is being stopped to end, and for its node to answer."""
REMEMBERED = 50_000


class KeepLogs:
    """The effect that copies the end of a pod's log to the store. Best effort: nothing waits for it."""

    name = "log"

    def __init__(self, kube: Kube, store: ArtifactStore) -> None:
        self._kube = kube
        self._store = store
        self._kept: OrderedDict[str, None] = OrderedDict()
        """Keys that are known to be there; spares asking the store at every pass."""

    def lane(self, task: Task) -> str:
        """The last attempt's node: one that does not answer holds up its own logs only."""
        return (task.status.attempts[-1].node if task.status.attempts else None) or ""

    async def run(self, task: Task, action: KeepLog) -> None:
        key = log_key(task.spec.project_id, task.uid, action.attempt)
        if key in self._kept:
            return
        try:
            if await self._store.head(key) is None:
                content = await self._read(task.namespace, action.pod_name)
                await self._store.create(key, content, "text/plain")
            self._remember(key)
        except KubeError as error:
            if error.not_found:
                self._remember(key)  # nobody can read it any more
        except (OSError, TimeoutError) as error:
            log.warning("log not kept", task=task.name, attempt=action.attempt, error=repr(error)[:500])

    def failed(self, action: KeepLog, error: Exception) -> None:
        """It is tried again when the task is next looked at, as long as there is the pod."""

    async def _read(self, namespace: str, pod: str) -> bytes:
        """The last lines, `KEPT_BYTES` at most."""
        lines: deque[bytes] = deque()
        size = 0
        params = {"container": CONTAINER, "follow": "true", "tailLines": str(LINES), "limitBytes": str(READ_BYTES)}
        async with (
            asyncio.timeout(SECONDS),
            aclosing(self._kube.stream(PODS.path(namespace, pod, "log"), params=params)) as stream,
        ):
            async for line in stream:
                lines.append(line[-KEPT_BYTES:])
                size += len(lines[-1])
                while size > KEPT_BYTES:
                    size -= len(lines.popleft())
        return b"".join(lines)

    def _remember(self, key: str) -> None:
        self._kept[key] = None
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
