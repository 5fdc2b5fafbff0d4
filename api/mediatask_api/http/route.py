"""The one class of all routes: who may call it is said on the route, and nothing that it does not know gets through.

A route that does not say who may call it, or has no `operation_id`, keeps the service from starting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Depends, Query
from fastapi.routing import APIRoute

from .body import JsonBody
from .errors import ApiError, invalid
from .openapi.document import request_body, security, with_problems


class Access(ABC):
    """Who may call a route; named in the route's `dependencies`, and asked before anything else is looked at."""

    schemes: ClassVar[dict[str, dict[str, str]]] = {}
    """OpenAPI's security schemes, any of which lets a caller in; it reads the headers itself."""
    refusals: tuple[ApiError, ...] = ()
    """Examples of what it raises, for the OpenAPI document."""

    @abstractmethod
    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise ApiError. Nothing of its body has been read."""


def _unknown_parameters(unknown: Sequence[str], known: Collection[str]) -> ApiError:
    errors = [{"loc": ["query", name[:100]], "msg": "unknown parameter"} for name in unknown[:10]]
    detail = f"{unknown[0][:100]!r} is no query parameter of this call"
    return invalid(f"{detail}; there are {', '.join(sorted(known))}." if known else f"{detail}.", errors)


class Route(APIRoute):
    """A route with one `Access`, with its JSON body in the OpenAPI document, and with no unknown query parameters."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        given: Sequence[Depends] = options.pop("dependencies", None) or []
        named = [part.dependency for part in given if isinstance(part.dependency, Access)]
        if len(named) != 1:
            raise TypeError(f"{path}: name in `dependencies` who may call this route, once (found {len(named)})")
        self.access = named[0]
        self.query_parameters: set[str] = set()
        others = [part for part in given if part.dependency is not self.access]
        super().__init__(path, endpoint, dependencies=others, **options)
        if self.include_in_schema and not self.operation_id:
            raise TypeError(f"{path}: name the operation (`operation_id`), for generated clients")
        parameters = get_flat_params(self.dependant)
        self.query_parameters = {part.alias for part in parameters if isinstance(part.field_info, Query)}
        described = dict(self.openapi_extra or {})
        if self.access.schemes:
            described |= security(self.access.schemes)
        refusals = [*self.access.refusals]
        for part in self.dependant.dependencies:
            if isinstance(part.call, JsonBody):
                described |= request_body(part.call.model)
                refusals += part.call.refusals
        self.openapi_extra = described
        if not any(error.status == 400 for error in refusals):
            refusals.append(_unknown_parameters(["pgae"], self.query_parameters))
        self.responses = with_problems(self.responses, refusals)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, once access and parameters are in order.

        As dependencies, resolving them costs FastAPI more than they do themselves.
        """
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            await self.access(request)
            self._refuse_unknown_parameters(request)
            return await answer(request)

        return handle

    def _refuse_unknown_parameters(self, request: Request) -> None:
        """A misspelt filter would pass for one that is met."""
        if request.scope["query_string"]:
            unknown = [name for name in request.query_params if name not in self.query_parameters]
            if unknown:
                raise _unknown_parameters(unknown, self.query_parameters)
