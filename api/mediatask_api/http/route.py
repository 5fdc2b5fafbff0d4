"""The one class of all routes: who may call it is said on the route, and nothing that it does not know gets through.

A route that does not say who may call it keeps the service from starting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from .body import JsonBody
from .errors import invalid
from .openapi import request_body


class Access(ABC):
    """Who may call a route: a dependency that is named in the route's `dependencies`, and so decides first."""

    @abstractmethod
    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise ApiError. Nothing of its body has been read."""


class Route(APIRoute):
    """A route with one `Access`, with its JSON body in the OpenAPI document, and with no unknown query parameters."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        named = [given.dependency for given in self.dependencies if isinstance(given.dependency, Access)]
        if len(named) != 1:
            raise TypeError(f"{path}: name in `dependencies` who may call this route, once (found {len(named)})")
        self.access = named[0]
        bodies = [part.call.model for part in self.dependant.dependencies if isinstance(part.call, JsonBody)]
        for model in bodies:
            self.openapi_extra = {**(self.openapi_extra or {}), **request_body(model)}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        parameters = get_flat_params(self.dependant)
        known = {parameter.alias for parameter in parameters if isinstance(parameter.field_info, Query)}

        async def handler(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in known]
            if unknown:
                there_are = f"; there are {', '.join(sorted(known))}" if known else ""
                errors = [{"loc": ["query", name[:100]], "msg": "unknown parameter"} for name in unknown[:10]]
                raise invalid(f"{unknown[0][:100]!r} is no query parameter of this call{there_are}.", errors)
            return await answer(request)

        return handler
