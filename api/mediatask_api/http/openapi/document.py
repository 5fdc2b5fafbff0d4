"""The OpenAPI document, and the parts of it that routes share."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ..errors import PROBLEM_JSON, ApiError, as_problem
from .examples import add_examples
from .schemas import Problem, Rest

REF = "#/components/schemas/{model}"
_BODIES: dict[str, type[BaseModel]] = {}
"""The models of all request bodies, by name: FastAPI knows them as neither parameter nor answer."""

_SCHEMES: dict[str, dict[str, str]] = {}
"""The security schemes of all routes, by name."""

Answers = dict[int | str, dict[str, Any]]


def problems(*errors: ApiError) -> Answers:
    """Descriptions of the error answers of a route, each of which is an example of its status."""
    answers: Answers = {}
    for error in errors:
        status = error.status
        answer = answers.setdefault(status, {"description": HTTPStatus(status).phrase, "content": {}})
        media = answer["content"].setdefault(
            PROBLEM_JSON, {"schema": {"$ref": REF.format(model="Problem")}, "examples": {}}
        )
        media["examples"][error.code] = {"value": as_problem(error, "").model_dump()}
        if status in (429, 503):
            answer["headers"] = {"Retry-After": header("Seconds to wait before the next try.", "integer")}
        if status == 429:
            answer["headers"]["RateLimit"] = header("What is left of the limits that were counted.")
            answer["headers"]["RateLimit-Policy"] = header("These limits: q requests in w seconds.")
    return answers


def with_problems(answers: Answers, errors: list[ApiError]) -> Answers:
    """The answers of a route and these errors; what the route itself says about a status stays."""
    merged = dict(answers)
    for status, answer in problems(*errors).items():
        own = merged.get(status)
        if own is None:
            merged[status] = answer
        elif PROBLEM_JSON in own.get("content", {}):
            media = own["content"][PROBLEM_JSON]
            examples = answer["content"][PROBLEM_JSON]["examples"] | media["examples"]
            merged[status] = {**own, "content": {PROBLEM_JSON: {**media, "examples": examples}}}
    return merged


def header(description: str, type_: str = "string") -> dict[str, Any]:
    """A header of an answer."""
    return {"description": description, "schema": {"type": type_}}


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route whose body is read by `JsonBody`."""
    _BODIES[model.__name__] = model
    content = {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def security(schemes: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    """`openapi_extra` of a route that any of these lets in."""
    _SCHEMES.update(schemes)
    return {"security": [{name: []} for name in schemes]}


def document(app: FastAPI, public_url: str | None) -> dict[str, Any]:
    """The OpenAPI document of the app."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": public_url}] if public_url else None,
    )
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    components["securitySchemes"] = _SCHEMES
    paths = str(schema["paths"])
    models: list[type[BaseModel]] = [Problem]
    models += [body for name, body in _BODIES.items() if f"'{REF.format(model=name)}'" in paths]
    for model in models:
        own = model.model_json_schema(ref_template=REF)
        schemas |= own.pop("$defs", {})
        schemas[model.__name__] = own
    _drop_default_validation_answers(schema)
    _restore_nulls(schemas, Rest)
    add_examples(schema)
    return schema


def _restore_nulls(schemas: dict[str, Any], base: type[Rest]) -> None:
    """FastAPI drops what is null, in examples, too."""
    for model in base.__subclasses__():
        extra = model.model_config.get("json_schema_extra")
        if model.__name__ in schemas and isinstance(extra, dict) and "examples" in extra:
            schemas[model.__name__]["examples"] = extra["examples"]
        _restore_nulls(schemas, model)


def _drop_default_validation_answers(schema: dict[str, Any]) -> None:
    """FastAPI declares a 422 of its own form wherever there are parameters; here such faults are a 400 problem."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            answer = operation["responses"].get("422")
            if answer and "HTTPValidationError" in str(answer):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
