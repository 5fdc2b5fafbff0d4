"""Deleting uploads that have expired. Every replica does it: deleting twice is deleting once."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime

from mediatask_common.logging import get_logger
from mediatask_common.store import ArtifactStore
from mediatask_common.times import utcnow

from . import records
from .records import GRACE, Lifetimes, Upload

log = get_logger(__name__)


async def sweep_for_ever(store: ArtifactStore, lifetimes: Lifetimes, seconds: float) -> None:
    """Sweep now and then, until cancelled."""
    while True:
        # Jitter: replicas start together.
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))
        try:
            deleted = await sweep(store, lifetimes, utcnow())
            if deleted:
                log.info("expired uploads deleted", count=deleted)
        except OSError as error:
            log.warning("expired uploads not deleted, tried again later", error=str(error))


async def sweep(store: ArtifactStore, lifetimes: Lifetimes, now: datetime) -> int:
    """Delete what has expired at `now`; how many uploads that were. Raises OSError when the store is away."""
    deleted = 0
    async for upload in records.read(store.objects(records.ROOT)):
        if upload.expires_at(lifetimes) + GRACE < now:
            await delete(store, upload)
            deleted += 1
    return deleted


async def delete(store: ArtifactStore, upload: Upload) -> None:
    """Delete an upload. Raises OSError when the store is away."""
    if len(records.part_sizes(upload.announced)) > 1:
        await store.drop_parts(records.content_key(upload.project, upload.id))
    # The grant last: as long as it is there, what an interrupted sweep has left is found again.
    for key in upload.keys:
        await store.delete(key)
