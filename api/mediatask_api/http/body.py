"""Request bodies: bounded while they arrive, strict JSON, validated with every fault named."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import MAX_BODY_BYTES
from .errors import ApiError, invalid_field, invalid_model, problem

MAX_DEPTH = 64

M = TypeVar("M", bound=BaseModel)


class BodyLimit:
    """Middleware that answers 413 to larger bodies, also to chunked ones that never say their size.

    Bodies are small and read whole before the app sees the request. Uploads (`exempt`) stream past it.
    """

    def __init__(self, app: ASGIApp, exempt: str = "/store/", limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._exempt = exempt
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            return await self._app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._limit:
            return await self._refuse(scope, receive, send)
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._limit:
                return await self._refuse(scope, receive, send)
            if not message.get("more_body"):
                break
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        return await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The body is larger than {self._limit} bytes; name large inputs by URL."
        # What is left of the body is not worth reading, so the connection cannot be used again.
        error = ApiError(413, "body-too-large", detail, headers={"Connection": "close"})
        await problem(error, scope["path"])(scope, receive, send)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError (400).

    orjson refuses what Kubernetes could not take either: NaN, lone surrogates, numbers too large.
    """
    try:
        value = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise invalid_field(["body"], f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid_field(["body"], "a JSON object is expected")
    if _deeper_than(value, MAX_DEPTH):
        raise invalid_field(["body"], f"nested deeper than {MAX_DEPTH} levels")
    return value


def parse(model: type[M], value: dict[str, Any], *prefix: str) -> M:
    """The value as a model, without any conversion of types. Raises ApiError (400) naming each faulty field."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise invalid_model(error, *(prefix or ("body",))) from error


def _deeper_than(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
