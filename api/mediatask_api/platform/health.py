"""Whether the things this service depends on are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from importlib.metadata import version

from mediatask_common.kube import TASKS, Kube, KubeError
from mediatask_common.redisview import RedisError, RedisView
from mediatask_common.store import ArtifactStore

from ..ttlcache import TtlCache
from .schemas import CheckAnswer, HealthAnswer

TIMEOUT_SECONDS = 3.0


class Health:
    """Checks of Kubernetes, Redis and the store, each with its latency; at most one round a second."""

    def __init__(self, kube: Kube, namespace: str, view: RedisView | None, store: ArtifactStore) -> None:
        self._kube = kube
        self._namespace = namespace
        self._view = view
        self._store = store
        self._recent: TtlCache[HealthAnswer] = TtlCache(1)

    async def check(self) -> HealthAnswer:
        """The state of the whole and of each dependency."""
        return await self._recent.get("health", self._check)

    async def _check(self) -> HealthAnswer:
        kubernetes, redis, store = await asyncio.gather(
            # This very list: it needs the API server, our CRD and our rights.
            _timed(self._kube.list(TASKS, self._namespace, limit="1")),
            _timed(self._view.ping()) if self._view else _disabled(),
            _timed(self._store.check()),
        )
        checks = {"kubernetes": kubernetes, "redis": redis, "store": store}
        failed = any(check.status == "failed" for check in checks.values())
        return HealthAnswer(
            status="unhealthy" if kubernetes.status == "failed" else "degraded" if failed else "healthy",
            version=version("mediatask"),
            checks=checks,
        )


async def _timed(check: Awaitable[object]) -> CheckAnswer:
    start = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await check
    except TimeoutError:
        return CheckAnswer(status="failed", message=f"no answer within {TIMEOUT_SECONDS:g} s")
    except (KubeError, RedisError, OSError) as error:
        # The kind of failure only: this answer needs no key, and messages name hosts.
        return CheckAnswer(status="failed", message=type(error).__name__)
    return CheckAnswer(status="ok", latency_ms=round((time.monotonic() - start) * 1000, 2))


async def _disabled() -> CheckAnswer:
    return CheckAnswer(status="disabled")
