"""Reading what the platform team keeps in a ConfigMap, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger

log = get_logger(__name__)

READ_SECONDS = 10.0


async def read_on(read: Callable[[], Awaitable[bool]], changed: Callable[[], None], what: str) -> None:
    """Read on until cancelled, and tell where a reading has found anything new.

    Args:
        read: raises KubeError.
        what: is read, for the log.
    """
    while True:
        await asyncio.sleep(READ_SECONDS)
        try:
            if await read():
                changed()
        except KubeError as error:
            log.warning(f"{what} cannot be read, they stay as they were", error=str(error))
