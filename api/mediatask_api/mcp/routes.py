"""The way in: credentials, limits and bodies are checked here, as for REST; then the MCP server answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response

from mediatask_common.kube import KubeError

from ..auth.access import known
from ..auth.audit import note_call
from ..dependencies import Ctx
from ..http.body import read, strict_json
from ..http.errors import ApiError, as_problem, from_kube
from ..http.route import Route
from .endpoint import PATH

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

REFUSED = -32000
"""JSON-RPC's code for what a server refuses for reasons of its own; the HTTP status and the problem say more."""
PARSE_ERROR = -32700


class RpcRoute(Route):
    """A route whose refusals are JSON-RPC errors, with the status and headers that REST has for them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except KubeError as error:
                return _refusal(from_kube(error), REFUSED)
            except ApiError as error:
                return _refusal(error, REFUSED)

        return handled


router = APIRouter(route_class=RpcRoute, include_in_schema=False)


@router.post(PATH, dependencies=[known])
async def mcp(request: Request, services: Ctx) -> Response:
    """A message of the Model Context Protocol, over streamable HTTP."""
    _check_origin(request, services.settings.cors_origins)
    body = await read(request)
    try:
        strict_json(body)
    except ApiError as error:
        return _refusal(error, PARSE_ERROR)
    note_call(request, "message", changes=False, status=200)  # until somebody knows better
    return await services.mcp.answer(request, body, _start)


def _start() -> StreamableHTTPSessionManager:
    from .server import session_manager  # with the first message: the SDK takes most of a second

    return session_manager()


def _check_origin(request: Request, allowed: list[str]) -> None:
    """Raises ApiError (403) for pages of other origins, and for one whose name was made to lead here."""
    origin = request.headers.get("origin")
    if origin is not None and "*" not in allowed and origin not in allowed:
        raise ApiError(403, "origin-not-allowed", f"Pages of {origin[:200]!r} may not call.")


def _refusal(error: ApiError, code: int) -> Response:
    problem = as_problem(error, PATH).model_dump()
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": error.detail, "data": problem}}
    headers = {"Cache-Control": "no-store", **error.headers}
    return Response(orjson.dumps(body), error.status, headers, media_type="application/json")
