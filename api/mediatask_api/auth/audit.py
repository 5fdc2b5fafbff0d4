"""The audit log: one line for each request that changes something, or was refused to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mediatask_common.logging import get_logger

from ..http.errors import CLIENT_CLOSED_REQUEST
from .principal import Principal

LOGGER = "mediatask.audit"
"""Whatever the level of the service's log, these lines are written."""
MAX_LENGTH = 253
"""Of a value in a line; names of tasks are no longer."""

_READING = {"GET", "HEAD", "OPTIONS"}

logging.getLogger(LOGGER).setLevel(logging.INFO)
log = get_logger(LOGGER)


class Audit:
    """Middleware: who (`caller`), what (`action`), which (`task`, `project` ...), from where, with which outcome.

    Requests without a valid credential have no line: nobody is known who could have changed anything.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING:
            return await self._app(scope, receive, send)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            return await self._app(scope, receive, noting)
        except Exception:
            status = status or 500
            raise
        finally:
            state = scope.get("state", {})
            caller: Principal | None = state.get("principal")
            call: _Call | None = state.get("audited_call")
            if call is not None:
                status = call.status
            if caller is not None and (call is None or call.changes):
                log.info("audit", **_line(scope, caller, status or CLIENT_CLOSED_REQUEST))


def note(request: Request, **about: Any) -> None:
    """Say in the line of this request what its URL does not: `task`, `project`."""
    request.scope.setdefault("state", {}).setdefault("audited", {}).update(about)


@dataclass
class _Call:
    name: str
    changes: bool
    status: int


def note_call(request: Request, name: str, *, changes: bool, status: int) -> None:
    """For a request that carries a call of another protocol: what to write instead of its route and its status."""
    request.scope.setdefault("state", {})["audited_call"] = _Call(name, changes, status)


def _line(scope: Scope, caller: Principal, status: int) -> dict[str, Any]:
    named = {name.removesuffix("_id"): value for name, value in scope.get("path_params", {}).items()}
    about = {**named, **scope["state"].get("audited", {})}
    client = scope.get("client")
    call: _Call | None = scope["state"].get("audited_call")
    return {
        "caller": caller.id,
        "action": f"{scope['method']} {scope['route'].path}" + (f" {call.name}" if call is not None else ""),
        **{name: value[:MAX_LENGTH] if isinstance(value, str) else value for name, value in about.items()},
        "client": client[0] if client else None,
        "user_agent": Headers(scope=scope).get("user-agent", "")[:MAX_LENGTH],
        "status": status,
        "outcome": "done" if status < 400 else "refused" if status < 500 else "failed",
    }
