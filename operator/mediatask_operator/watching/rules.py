"""The moderation rules of the platform team, read again and again from their ConfigMap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mediatask_common.kube import Kube
from mediatask_common.logging import get_logger
from mediatask_common.moderation import RuleBook, read_rules

from ..deciding.observation import RulesInUse
from .configmaps import read_on

log = get_logger(__name__)

_FAULTS_TOLD = 3


class RuleReader:
    """Keeps the rules as the ConfigMap has them; while it cannot be read, as it had them last.

    A ConfigMap that is not there or empty is a fault, not a permission.
    """

    def __init__(self, kube: Kube, place: str) -> None:
        """A reader of the ConfigMap `NAMESPACE/NAME`."""
        self._kube = kube
        self._place = place
        self._known: dict[str, str] | None = None
        self.book = RuleBook()
        self.in_use = RulesInUse("", "They have not been read yet.")

    async def read(self) -> bool:
        """Read once; whether there is anything new. Raises KubeError."""
        namespace, _, name = self._place.partition("/")
        data = await self._kube.config_map(name, namespace)
        if data == self._known:
            return False
        book = await asyncio.to_thread(read_rules, data)
        faults = dict(book.faults) if data else {name: "there is no such ConfigMap, or it is empty"}
        self._known, self.book = data, book
        self.in_use = RulesInUse(book.digest, _told(faults))
        for key, why in faults.items():
            log.error("moderation rule cannot be used: tasks wait", entry=key, error=why)
        log.info("moderation rules read", rules=len(book.rules), unusable=len(faults), version=book.digest)
        return True

    async def run(self, changed: Callable[[], None]) -> None:
        """Read on until cancelled."""
        await read_on(self.read, changed, "moderation rules")


def _told(faults: dict[str, str]) -> str:
    """Which entries cannot be used. What they say is the platform team's alone."""
    return f"Entries: {', '.join(sorted(faults)[:_FAULTS_TOLD])}." if faults else ""
