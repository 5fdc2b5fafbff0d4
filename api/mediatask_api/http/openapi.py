"""Parts of the OpenAPI document that routes share."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ..tasks.schemas import Problem, SubmitRequest
from .errors import PROBLEM_JSON

_REF = "#/components/schemas/{model}"
# Bodies and problems reach the document by name only: no route declares them as a parameter.
_EXTRA = (SubmitRequest, Problem)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Descriptions of the error answers of a route."""
    content = {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def json_body(model: type) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its own body."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI, public_url: str | None) -> dict[str, Any]:
    """The OpenAPI document of the app, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=[{"url": public_url}] if public_url else None,
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for model in _EXTRA:
            own = model.model_json_schema(ref_template=_REF)
            schemas |= own.pop("$defs", {})
            schemas[model.__name__] = own
        _drop_default_validation_answers(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _drop_default_validation_answers(schema: dict[str, Any]) -> None:
    """FastAPI declares a 422 of its own form wherever there are parameters; here such faults are a 400 problem."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            answer = operation["responses"].get("422")
            if answer and "HTTPValidationError" in str(answer):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
