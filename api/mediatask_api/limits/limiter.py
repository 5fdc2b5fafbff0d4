"""The limits of callers and projects, and what a refused one is answered."""

from __future__ import annotations

import math

from prometheus_client import Counter
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ..http.errors import rate_limited
from ..http.sending import with_headers
from ..redis_breaker import RedisBreaker
from .bucket import WINDOW_SECONDS, Rate, Verdict
from .buckets import LocalBuckets
from .leases import Leases


class Limiter:
    """Counts requests against the limits. Without Redis, or while it is away, each replica counts for itself."""

    def __init__(self, caller: Rate | None, project: Rate | None, shared: Leases | None, refused: Counter) -> None:
        """None for a limit: it does not exist. `refused` counts refusals by the name of the limit."""
        self._caller = caller
        self._project = project
        self._shared = shared
        self._refused = refused
        self._local = LocalBuckets()
        self._breaker = RedisBreaker("this replica counts its own requests", failures=1)

    async def count_request(self, connection: HTTPConnection, caller: str) -> None:
        """A request of this caller. Raises ApiError (429) where it is one too many."""
        await self._count(connection, self._caller, caller, 1, "This caller may send", "requests")

    async def count_tasks(self, connection: HTTPConnection, project: str, tasks: int = 1) -> None:
        """Tasks that are submitted to this project. Raises ApiError (429) where they are too many."""
        await self._count(connection, self._project, project, tasks, f"The project {project} takes", "tasks")

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()

    async def _count(
        self, connection: HTTPConnection, rate: Rate | None, who: str, cost: int, subject: str, what: str
    ) -> None:
        if rate is None:
            return
        verdict = await self._take(rate, who, cost)
        connection.scope.setdefault("limits", []).append(verdict)
        if not verdict.allowed:
            self._refused.labels(rate.name).inc()
            seconds = max(math.ceil(verdict.retry_after_seconds), 1)
            raise rate_limited(f"{subject} {rate.quota} {what} a minute", seconds)

    async def _take(self, rate: Rate, who: str, cost: int) -> Verdict:
        shared = self._shared
        verdict = None if shared is None else await self._breaker.call(lambda: shared.take(rate, who, cost))
        return verdict or self._local.take(rate, who, cost)


class LimitHeaders:
    """Middleware that tells callers what is left: `RateLimit` and `RateLimit-Policy`, as the IETF's draft has them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        def tell(headers: MutableHeaders) -> None:
            if verdicts := scope.get("limits"):
                headers["RateLimit-Policy"] = ", ".join(_policy(verdict) for verdict in verdicts)
                headers["RateLimit"] = ", ".join(_state(verdict) for verdict in verdicts)

        await self._app(scope, receive, with_headers(send, tell) if scope["type"] == "http" else send)


def _policy(verdict: Verdict) -> str:
    return f'"{verdict.rate.name}";q={verdict.rate.quota};w={WINDOW_SECONDS:.0f}'


def _state(verdict: Verdict) -> str:
    return f'"{verdict.rate.name}";r={verdict.remaining};t={math.ceil(verdict.reset_seconds)}'
