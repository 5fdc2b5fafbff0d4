"""What is spent of the budgets, in a ConfigMap of the operator's own: for the API, and for the operator's next start.

Level-triggered: once a second what is to be recorded is compared with what is. Tasks that are deleted are in no list
after a restart; what the record has beyond the tasks of a list is theirs. So a kill -9 can cost what became due in the
second before it, and that only where tasks that cost as much were deleted before the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from mediatask_common.kube import CONFIGMAPS, Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.spending import Spending, place_of
from mediatask_crds.names import LABEL_MANAGED_BY, MANAGED_BY

from ..deciding.budgets import Budgets
from ..objects import Object
from .api_writer import ApiWriter

log = get_logger(__name__)

WRITE_SECONDS = 1.0
MOST_PAUSE_SECONDS = 30.0
"""After a write that failed the pause doubles up to this."""


class SpendingRecord:
    """Keeps the record as the budgets are."""

    def __init__(self, kube: Kube, api: ApiWriter, place: str, budgets: Budgets, clock: Callable[[], datetime]) -> None:
        """The record that belongs to the budgets' ConfigMap `NAMESPACE/NAME`."""
        self._kube = kube
        self._api = api
        self._namespace, self._name = place_of(place)
        self._budgets = budgets
        self._clock = clock
        self._version: str | None = None
        """None where there is no record yet."""
        self._recorded: dict[str, Spending | None] = {}
        """None for what cannot be read."""

    async def restore(self) -> None:
        """Begin with what is on record. Raises KubeError."""
        try:
            found = await self._kube.get(CONFIGMAPS, self._name, self._namespace)
        except KubeError as error:
            if not error.not_found:
                raise
            self._version, self._recorded = None, {}
            return
        self._version = found["metadata"]["resourceVersion"]
        self._recorded = {project: Spending.parse(text) for project, text in (found.get("data") or {}).items()}
        unreadable = [project for project, spending in self._recorded.items() if spending is None]
        if unreadable:
            log.error("what these projects have spent cannot be read", projects=unreadable[:20])
        self._budgets.restore({project: spending for project, spending in self._recorded.items() if spending})

    async def run(self) -> None:
        """Record until cancelled."""
        pause = WRITE_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self.write()
                pause = WRITE_SECONDS
            except KubeError as error:
                pause = min(2 * pause, MOST_PAUSE_SECONDS)
                log.warning("what is spent cannot be recorded", error=str(error), again_in=pause)

    async def write(self) -> None:
        """Record what is not recorded yet. Raises KubeError."""
        present = self._budgets.spending(self._clock())
        news: dict[str, str | None] = {
            project: spending.text() for project, spending in present.items() if self._recorded.get(project) != spending
        }
        news |= dict.fromkeys(self._recorded.keys() - present.keys())
        if not news:
            return
        try:
            written = await self._merge(news)
        except KubeError as error:
            if error.conflict or error.already_exists or error.not_found:
                await self.restore()  # somebody else wrote, or took it away: what is more than ours counts, too
            raise
        self._version = written["metadata"]["resourceVersion"]
        self._recorded = dict(present)

    async def _merge(self, news: dict[str, str | None]) -> Object:
        meta: Object = {"name": self._name, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
        body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": news}
        if self._version is None:
            return await self._api.create(CONFIGMAPS, body, self._namespace)
        meta["resourceVersion"] = self._version
        return await self._api.patch(CONFIGMAPS, self._name, self._namespace, body)
