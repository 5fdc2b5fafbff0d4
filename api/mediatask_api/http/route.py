"""The one class of all routes: who may call it is said on the route, and nothing that it does not know gets through.

A route that does not say who may call it, or has no `operation_id`, keeps the service from starting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from .body import JsonBody
from .errors import ApiError, invalid
from .openapi.document import request_body, security, with_problems


class Access(ABC):
    """Who may call a route: a dependency that is named in the route's `dependencies`, and so decides first."""

    schemes: ClassVar[dict[str, dict[str, str]]] = {}
    """OpenAPI's security schemes, any of which lets a caller in; it reads the headers itself."""
    refusals: tuple[ApiError, ...] = ()
    """Examples of what it raises, for the OpenAPI document."""

    @abstractmethod
    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise ApiError. Nothing of its body has been read."""


async def _only_known_parameters(request: Request) -> None:
    """Refuses query parameters that the route does not have: a misspelt filter would pass for one that is met."""
    route: Route = request.scope["route"]
    unknown = [name for name in request.query_params if name not in route.query_parameters]
    if unknown:
        raise _unknown_parameters(unknown, route.query_parameters)


def _unknown_parameters(unknown: Sequence[str], known: Collection[str]) -> ApiError:
    errors = [{"loc": ["query", name[:100]], "msg": "unknown parameter"} for name in unknown[:10]]
    detail = f"{unknown[0][:100]!r} is no query parameter of this call"
    return invalid(f"{detail}; there are {', '.join(sorted(known))}." if known else f"{detail}.", errors)


_KNOWN_PARAMETERS = Depends(_only_known_parameters)


class Route(APIRoute):
    """A route with one `Access`, with its JSON body in the OpenAPI document, and with no unknown query parameters."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        given = options.pop("dependencies", None) or []
        # A router that is included in an app makes its routes once more.
        dependencies = given if _KNOWN_PARAMETERS in given else [*given, _KNOWN_PARAMETERS]
        super().__init__(path, endpoint, dependencies=dependencies, **options)
        named = [part.dependency for part in self.dependencies if isinstance(part.dependency, Access)]
        if len(named) != 1:
            raise TypeError(f"{path}: name in `dependencies` who may call this route, once (found {len(named)})")
        if self.include_in_schema and not self.operation_id:
            raise TypeError(f"{path}: name the operation (`operation_id`), for generated clients")
        self.access = named[0]
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
