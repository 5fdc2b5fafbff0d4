"""What browsers are told: which origins may call, and what they may do with an answer."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from .sending import with_headers

_SENT = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "MCP-Protocol-Version",
    "Mcp-Method", "Mcp-Name", "Prefer", "X-API-Key", "X-Request-Id", "traceparent",
)  # fmt: skip
_READ = (
    "ETag", "Idempotency-Replayed", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After",
    "X-Request-Id",
)  # fmt: skip
_PREFLIGHT_SECONDS = 600

_DATA = "default-src 'none'; frame-ancestors 'none'"
# Swagger UI starts by a script within its page, and draws its icons from data URLs.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
)


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call; `*`: of all. Callers are known by headers, so cookies are not allowed."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=_PREFLIGHT_SECONDS,
        )


class SecurityHeaders:
    """Middleware: no answer is run, framed or guessed at as another type; over https, always over https."""

    def __init__(self, app: ASGIApp, *, docs_url: str, https: bool) -> None:
        self._app = app
        self._docs_url = docs_url
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        def guard(headers: MutableHeaders) -> None:
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            page = scope["path"].startswith(self._docs_url)
            headers.setdefault("Content-Security-Policy", _PAGE if page else _DATA)
            if self._https:
                headers["Strict-Transport-Security"] = "max-age=31536000"

        await self._app(scope, receive, with_headers(send, guard) if scope["type"] == "http" else send)
