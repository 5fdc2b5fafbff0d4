"""What an app can be asked, read from its own routes: a new one is a new call without anybody's doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from mediatask_api.http.body import JsonBody
from mediatask_api.http.route import Access, Route

PAGES = {"/openapi.json", "/static-offline-docs", "/docs", "/docs/oauth2-redirect"}
"""What an app serves beside its routes: its description, for everybody."""


@dataclass(frozen=True)
class Call:
    """A route with one of its methods."""

    method: str
    path: str
    access: Access
    parameters: tuple[str, ...]
    """Names in the path."""
    query: tuple[str, ...]
    """Names in the query that have to be given."""
    model: type[BaseModel] | None
    """Of its body."""
    example: Any
    """A body of that model."""

    @property
    def scope(self) -> str | None:
        """What it requires of a caller; None where it asks for no scope, or does so itself."""
        return getattr(self.access, "scope", None)

    @property
    def asks_who(self) -> bool:
        """Whether it is for known callers."""
        return bool(self.access.schemes)

    @property
    def names_project(self) -> bool:
        """Whether the body says what project it is about."""
        return any(f"'{field}':" in repr(self.example) for field in ("project_id", "projects"))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def calls(app: FastAPI, examples: Mapping[str, Any] | None = None) -> list[Call]:
    """All calls of an app.

    Args:
        app: has no other routes than those of class Route and PAGES.
        examples: bodies by the names of their models, where the models have none.
    """
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, Route):
            path = getattr(route, "path", None)
            assert path in PAGES, f"{path} is no Route: nobody says who may call it"
            continue
        bodies = [part.call.model for part in route.dependant.dependencies if isinstance(part.call, JsonBody)]
        model = bodies[0] if bodies else None
        names = tuple(parameter.alias for parameter in route.dependant.path_params)
        query = tuple(part.alias for part in route.dependant.query_params if part.field_info.is_required())
        example = None if model is None else _example(model, examples or {})
        found += [
            Call(method, route.path, route.access, names, query, model, example) for method in sorted(route.methods)
        ]
    return found


def _example(model: type[BaseModel], given: Mapping[str, Any]) -> Any:
    if model.__name__ in given:
        return given[model.__name__]
    examples = model.model_json_schema().get("examples")
    assert examples, f"{model.__name__} has no example: give it one"
    return examples[0]
