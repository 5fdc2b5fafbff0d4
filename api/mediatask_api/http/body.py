"""Request bodies: bounded in size and time while they arrive, strict JSON, validated with every fault named."""

# No annotations as strings here: FastAPI cannot resolve those of objects that are dependencies.

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from mediatask_crds.freeform import check_json

from .errors import ApiError, invalid, invalid_field, invalid_model

MAX_BODY_BYTES = 256 * 1024
"""Largest request body: that of a task's data in the resource."""
BODY_SECONDS = 15.0
"""Time for a whole body to arrive."""
STALL_SECONDS = 60.0
"""Longest pause within an upload."""

M = TypeVar("M", bound=BaseModel)


class JsonBody(Generic[M]):
    """A dependency that gives a route its body as a model: `Annotated[Model, Depends(JsonBody(Model))]`.

    It is read after the route's `Access` has let the request pass.
    """

    def __init__(self, model: type[M], limit: int = MAX_BODY_BYTES) -> None:
        self.model = model
        self.limit = limit
        field = next(iter(model.model_fields))
        missing = invalid(f"{field}: Field required", [{"loc": ["body", field], "msg": "Field required"}])
        self.refusals = [missing, _timeout(BODY_SECONDS), _too_large(limit)]
        """Examples of what it raises."""

    async def __call__(self, request: Request) -> M:
        return parse(self.model, strict_json(await read(request, self.limit)))


async def read(request: Request, limit: int = MAX_BODY_BYTES, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413 for a larger one, also for a chunked one that never says its size; 408 for one that takes longer.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise _timeout(seconds) from None
    return bytes(body)


# What is left of a body that was refused is not worth reading: the connection cannot be used again.
_CLOSING = {"Connection": "close"}


def _too_large(limit: int) -> ApiError:
    detail = f"The body is larger than {limit} bytes; pass large inputs by URL."
    return ApiError(413, "body-too-large", detail, headers=_CLOSING)


def _timeout(seconds: float) -> ApiError:
    return ApiError(408, "body-timeout", f"The body did not arrive within {seconds:g} seconds.", headers=_CLOSING)


async def steady(chunks: AsyncIterator[bytes], seconds: float = STALL_SECONDS) -> AsyncIterator[bytes]:
    """The chunks of a large body, as long as they keep coming. Raises ApiError (408) where they do not."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            detail = f"Nothing of the body arrived for {seconds:g} seconds."
            raise ApiError(408, "body-timeout", detail, headers=_CLOSING) from None
        if chunk is None:
            return
        yield chunk


def strict_json(content: bytes) -> dict[str, Any]:
    """A body as a JSON object of which every reader further on keeps every value. Raises ApiError (400).

    Refused are NaN and infinities, integers beyond 64 bits, NUL characters, lone surrogates, duplicate keys, and more
    than 64 levels.
    """
    try:
        value = orjson.loads(content)
        if not isinstance(value, dict):
            raise invalid_field(["body"], "a JSON object is expected")
        check_json(value)  # bounds the depth, before a reader that has less room for it
        # orjson tells neither duplicate keys nor integers that it has made floats of.
        check_json(json.loads(content, object_pairs_hook=_unique))
    except orjson.JSONDecodeError as error:
        raise invalid_field(["body"], f"not valid JSON: {error}") from error
    except ValueError as error:
        raise invalid_field(["body"], str(error)) from error
    return value


def parse(model: type[M], value: dict[str, Any], *prefix: str) -> M:
    """The value as a model, without any conversion of types. Raises ApiError (400) naming each faulty field."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise invalid_model(error, *(prefix or ("body",))) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!a} occurs twice in one object")
    return value
