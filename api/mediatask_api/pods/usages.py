"""What running jobs use of memory and GPUs: the latest report of each pod, for a short while."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pydantic import AwareDatetime, BaseModel, ValidationError

from mediatask_common.times import utcnow
from mediatask_crds.podcontract import HEARTBEAT_SECONDS, ResourceUsage

from ..tasks.reading.redis_reader import RedisReader
from .throttle import Throttle

SHOWN_SECONDS = 3 * HEARTBEAT_SECONDS
"""A report that is older says nothing of now."""
INTERVAL_SECONDS = 1.0
"""Least time between two reports of one pod; others are dropped."""
_PODS = 4096
"""Most pods whose reports are kept in this process."""


class UsageReport(BaseModel):
    """A pod's report, as it lies in Redis."""

    at: AwareDatetime
    usage: ResourceUsage


class Usages:
    """Kept in this process, and in Redis where there is one, since another replica may be asked."""

    def __init__(self, redis: RedisReader) -> None:
        self._redis = redis
        self._throttle = Throttle()
        self._here: dict[str, tuple[float, UsageReport]] = {}

    async def keep(self, uid: str, usage: ResourceUsage) -> None:
        """Take what a pod says of itself; it has been checked which pod it is."""
        if not self._throttle.allows(uid, INTERVAL_SECONDS):
            return
        now, report = time.monotonic(), UsageReport(at=utcnow(), usage=usage)
        self._here.pop(uid, None)
        self._here[uid] = now, report
        self._forget_old(now)
        content = report.model_dump_json().encode()
        await self._redis.tell(lambda view: view.put_worker(uid, content, int(SHOWN_SECONDS)))

    async def of(self, uids: Sequence[str]) -> dict[str, UsageReport]:
        """The reports that are there of these pods, by UID."""
        self._forget_old(time.monotonic())
        reports = {uid: self._here[uid][1] for uid in uids if uid in self._here}
        shared = await self._redis.recall(lambda view: view.workers(uids)) if uids else None
        for uid, content in (shared or {}).items():
            report = _read(content)
            if report is not None and (uid not in reports or reports[uid].at < report.at):
                reports[uid] = report
        return reports

    def _forget_old(self, now: float) -> None:
        """The oldest stand first."""
        while self._here:
            uid, (at, _) = next(iter(self._here.items()))
            if now - at <= SHOWN_SECONDS and len(self._here) <= _PODS:
                return
            del self._here[uid]


def _read(content: bytes) -> UsageReport | None:
    """A report; None for what no writer wrote, and for one that only a newer version understands."""
    try:
        return UsageReport.model_validate_json(content, extra="ignore")
    except ValidationError:
        return None
