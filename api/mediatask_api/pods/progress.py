"""Progress of running attempts: every report to the event stream, the status now and then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from mediatask_common.kube import APPLY, TASKS, Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.redisview import RedisView
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import API_VERSION, PROGRESS_FIELD_MANAGER
from mediatask_crds.podcontract import PreviewReport, ProgressReport

from ..events.event import from_stream
from ..events.event import report as event_of_report
from ..events.hub import Hub
from ..http.errors import ApiError
from ..tasks.reading.reader import TaskReader
from ..tasks.reading.redis_reader import RedisReader
from .fencing import Pod, check_task
from .previews import INTERVAL_SECONDS as PREVIEW_SECONDS
from .throttle import Throttle

log = get_logger(__name__)

INTERVAL_SECONDS = 5.0
"""Least time between two writes to one task's status."""
WRITE_TRIES = 5


@dataclass(frozen=True)
class _Report:
    pod: Pod
    progress: float
    step: str


class ProgressWriter:
    """Takes reports of any frequency. The first is written at once, then the latest one every few seconds."""

    def __init__(
        self,
        kube: Kube,
        reader: TaskReader,
        view: RedisReader,
        namespace: str,
        hub: Hub | None = None,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """A writer for one namespace.

        Args:
            hub: told the reports of the namespace that has streams, where Redis does not tell it.
        """
        self._kube = kube
        self._reader = reader
        self._view = view
        self._namespace = namespace
        self._hub = hub
        self._interval = interval
        self._sequence = 0
        self._throttle = Throttle()
        self._latest: dict[tuple[str, str], _Report] = {}
        self._writers: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def take(self, task: Object, pod: Pod, report: ProgressReport) -> None:
        """Accept a report that has passed the fence, for the task as it was read for that."""
        name = task["metadata"]["name"]
        key = (name, pod.uid)
        waiting = self._latest.get(key)
        reported = round(report.progress, 3)  # as people read it in a table
        progress = max(reported, _known_progress(task, pod), waiting.progress if waiting else 0.0)
        # Before the status: who finds it there finds it among the events, too.
        await self._tell(task, "progress", self._event(task, pod, progress, report.step, message=report.message))
        self._latest[key] = _Report(pod, progress, report.step)
        if key not in self._writers:
            self._writers[key] = asyncio.create_task(self._write_latest(name, key))

    async def show(self, task: Object, pod: Pod, report: PreviewReport, image: str) -> None:
        """Accept a preview that has been checked, unless the last one is too recent."""
        if not self._throttle.allows(pod.uid, PREVIEW_SECONDS):
            return
        name, project = task["metadata"]["name"], task["spec"]["projectId"]
        data = self._event(task, pod, round(report.progress, 3), report.step)

        async def keep(view: RedisView) -> None:
            await view.put_preview(name, image.encode())
            await view.add_event(name, "preview", data, project)

        if not await self._view.tell(keep):
            self._tell_here(name, "preview", {**data, "image": image})

    def _event(self, task: Object, pod: Pod, progress: float, step: str, **more: Any) -> dict[str, Any]:
        now = utcnow()
        # By time, so that it also grows from one process to another.
        self._sequence = max(self._sequence + 1, int(now.timestamp() * 1000))
        at = rfc3339(now, micro=True)
        return event_of_report(task, pod.attempt, progress, step, self._sequence, at=at, **more)

    async def _tell(self, task: Object, kind: str, data: dict[str, Any]) -> None:
        name, project = task["metadata"]["name"], task["spec"]["projectId"]
        kept = await self._view.tell(lambda view: view.add_event(name, kind, data, project))
        # By way of Redis alone while it is there, so that all processes see one order.
        if not kept:
            self._tell_here(name, kind, data)

    def _tell_here(self, name: str, kind: str, data: dict[str, Any]) -> None:
        if self._hub is not None and (event := from_stream(name, kind, data)) is not None:
            self._hub.report(event, kept=False)

    async def close(self) -> None:
        """Stop writing. What was not written is told by the next report, or by the task's end."""
        writers = list(self._writers.values())
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)

    async def _write_latest(self, name: str, key: tuple[str, str]) -> None:
        try:
            while (report := self._latest.pop(key, None)) is not None:
                written = False
                try:
                    written = await self._write(name, report)
                except KubeError as error:
                    log.warning("progress not written, tried again soon", task=name, error=str(error))
                if not written:
                    self._latest.setdefault(key, report)
                await asyncio.sleep(self._interval)
        except ApiError:
            log.info("late progress dropped", task=name, pod=key[1])
        finally:
            # Without an await since the last look at _latest: the next report finds no writer and starts one.
            self._latest.pop(key, None)
            del self._writers[key]

    async def _write(self, name: str, report: _Report) -> bool:
        """Write it, unless it is too early for that."""
        for tries in range(1, WRITE_TRIES + 1):
            task = check_task(report.pod, await self._reader.get_true(name))
            if (task.get("status") or {}).get("attempt") != report.pod.attempt:
                return False  # the operator has yet to write that this attempt runs; it resets the progress then
            # The version read by the fence: the operator's news in between makes this write fail, and look again.
            body = {
                "apiVersion": API_VERSION,
                "kind": "MediaTask",
                "metadata": {"name": name, "resourceVersion": task["metadata"]["resourceVersion"]},
                "status": {
                    "progress": round(max(report.progress, _known_progress(task, report.pod)), 3),
                    "currentStep": report.step,
                },
            }
            try:
                await self._kube.patch(
                    TASKS,
                    name,
                    body,
                    self._namespace,
                    subresource="status",
                    content_type=APPLY,
                    fieldManager=PROGRESS_FIELD_MANAGER,
                    force="true",
                )
            except KubeError as error:
                if not error.conflict or tries == WRITE_TRIES:
                    raise
            else:
                return True
        raise AssertionError("the last try returns or raises")


def _known_progress(task: Object, pod: Pod) -> float:
    """What the status says about this very attempt."""
    status = task.get("status") or {}
    return (status.get("progress") or 0.0) if status.get("attempt") == pod.attempt else 0.0
