"""Prometheus metrics of the API. Labels are route templates and fixed words: never an id or a caller's text."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http.errors import CLIENT_CLOSED_REQUEST

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mediatask_api_requests_total",
            "Requests by route template, method and status code.",
            ["listener", "route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mediatask_api_request_duration_seconds",
            "Time to the end of the answer, by route template.",
            ["listener", "route", "method"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "mediatask_api_requests_in_flight",
            "Requests being answered.",
            ["listener"],
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "mediatask_api_rate_limited_total",
            "Requests refused with 429 by the limit that they exceeded: caller, project.",
            ["limit"],
            registry=self.registry,
        )
        self.submitted = Counter(
            "mediatask_api_submitted_total",
            "Accepted submits by task type; replayed ones repeat an idempotency key.",
            ["type", "replayed"],
            registry=self.registry,
        )


class Measured:
    """Middleware that counts and times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics, listener: str) -> None:
        self._app = app
        self._metrics = metrics
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, status = time.monotonic(), CLIENT_CLOSED_REQUEST

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.in_flight.labels(self._listener).track_inprogress():
            try:
                await self._app(scope, receive, noting)
            except Exception:
                # Answered further out, by the handler of all that nobody expected.
                status = 500 if status == CLIENT_CLOSED_REQUEST else status
                raise
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(self._listener, route, method, status).inc()
                self._metrics.seconds.labels(self._listener, route, method).observe(time.monotonic() - start)
        return None
