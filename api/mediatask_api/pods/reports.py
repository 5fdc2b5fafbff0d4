"""Where Job pods report: a desk for each namespace that has tasks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mediatask_common.kube import Kube
from mediatask_common.redisview import RedisView

from ..tasks.reader import TaskReader
from ..tasks.redis_reader import FastView
from .progress import ProgressWriter


@dataclass(frozen=True)
class Desk:
    """What the reports of one namespace's pods are checked against and written with."""

    reader: TaskReader
    progress: ProgressWriter


class Desks:
    """The desks, each opened when it is first asked for."""

    def __init__(self, kube: Kube, view: RedisView | None) -> None:
        """Open no desk yet.

        Args:
            view: the view of any namespace; the desks share its connections.
        """
        self._kube = kube
        self._view = view
        self._desks: dict[str, Desk] = {}

    def of(self, namespace: str) -> Desk:
        """A namespace's desk."""
        if namespace not in self._desks:
            fast = FastView(self._view.of(namespace) if self._view else None)
            reader = TaskReader(self._kube, fast, namespace)
            self._desks[namespace] = Desk(reader, ProgressWriter(self._kube, reader, fast, namespace))
        return self._desks[namespace]

    async def close(self) -> None:
        """Stop writing progress."""
        await asyncio.gather(*(desk.progress.close() for desk in self._desks.values()))
