"""Which methods a path has, over all of its routes: the router itself names those of the first that it meets."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Match


def allowed_methods(request: Request) -> str:
    """For `Allow`: the methods of the requested path, and where several paths fit, of the one with fewest variables."""
    found: dict[tuple[int, str], set[str]] = {}
    for context in iter_route_contexts(request.app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE:
            found.setdefault((len(route.param_convertors), route.path), set()).update(route.methods or ())
    return ", ".join(sorted(found[min(found)])) if found else ""
