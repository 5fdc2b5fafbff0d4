"""Whether the things this service depends on are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from importlib.metadata import version

from mediatask_common.kube import KubeError
from mediatask_common.redisview import RedisError

from ..settings import Environment
from ..ttlcache import TtlCache
from .neighbours.known import Check
from .schemas import CheckAnswer, HealthAnswer

TIMEOUT_SECONDS = 3.0


class Health:
    """Checks of Kubernetes, Redis and the store, each with its latency; at most one round a second."""

    def __init__(self, checks: Mapping[str, Check], environment: Environment) -> None:
        self._checks = checks
        self._environment = environment
        self._recent: TtlCache[HealthAnswer] = TtlCache(1)

    async def check(self) -> HealthAnswer:
        """The state of the whole and of each dependency."""
        return await self._recent.get("health", self._check)

    async def _check(self) -> HealthAnswer:
        answers = await asyncio.gather(*(_timed(check()) for check in self._checks.values()))
        checks = {"redis": CheckAnswer(status="disabled"), **dict(zip(self._checks, answers, strict=True))}
        failed = any(check.status == "failed" for check in checks.values())
        return HealthAnswer(
            status="unhealthy" if checks["kubernetes"].status == "failed" else "degraded" if failed else "healthy",
            version=version("mediatask"),
            environment=self._environment,
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
