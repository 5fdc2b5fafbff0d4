"""Where the reports of Job pods go: one sink for each namespace that has tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mediatask_common.kube import Kube
from mediatask_common.redisview import RedisView

from ..events.hub import Hub
from ..tasks.reading.reader import TaskReader
from ..tasks.reading.redis_reader import RedisReader
from .progress import ProgressWriter
from .usages import Usages


@dataclass(frozen=True)
class ReportSink:
    """What the reports of one namespace's pods are checked against and written with."""

    reader: TaskReader
    redis: RedisReader
    progress: ProgressWriter
    usages: Usages


class ReportSinks:
    """The sinks, each opened when it is first asked for."""

    def __init__(self, kube: Kube, view: RedisView | None, hubs: Mapping[str, Hub]) -> None:
        """Open no sink yet.

        Args:
            view: the view of any namespace; the sinks share its connections.
            hubs: of the namespaces whose events are streamed.
        """
        self._kube = kube
        self._view = view
        self._hubs = hubs
        self._sinks: dict[str, ReportSink] = {}

    def of(self, namespace: str) -> ReportSink:
        """A namespace's sink."""
        if namespace not in self._sinks:
            fast = RedisReader(self._view.of(namespace) if self._view else None)
            reader = TaskReader(self._kube, fast, namespace)
            progress = ProgressWriter(self._kube, reader, fast, namespace, self._hubs.get(namespace))
            self._sinks[namespace] = ReportSink(reader, fast, progress, Usages(fast))
        return self._sinks[namespace]

    async def close(self) -> None:
        """Stop writing progress."""
        await asyncio.gather(*(sink.progress.close() for sink in self._sinks.values()))
