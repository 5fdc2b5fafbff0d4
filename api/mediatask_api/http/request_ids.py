"""The id of each request: taken from the caller or made here, in the answer, in every line that is logged meanwhile."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from .sending import with_headers

REQUEST_ID = "X-Request-Id"
TRACEPARENT = "traceparent"

_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True)
class Trace:
    """A trace of the caller's that this request is part of (W3C Trace Context)."""

    id: str
    flags: str

    @classmethod
    def of(cls, traceparent: str) -> Trace | None:
        found = _TRACEPARENT.fullmatch(traceparent)
        return cls(found[1], found[2]) if found else None

    def here(self) -> str:
        """The header that names this request within the trace."""
        return f"00-{self.id}-{secrets.token_hex(8)}-{self.flags}"


class RequestIds:
    """Middleware; the id is in `request.state.request_id`, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        given, trace = headers.get(REQUEST_ID, ""), Trace.of(headers.get(TRACEPARENT, ""))
        request_id = given if _ID.fullmatch(given) else trace.id if trace else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        ids = {REQUEST_ID: request_id, **({TRACEPARENT: trace.here()} if trace else {})}

        with bound_contextvars(request_id=request_id, **({"trace_id": trace.id} if trace else {})):
            return await self._app(scope, receive, with_headers(send, lambda headers: headers.update(ids)))
