"""The base of all shapes on the wire, and that of errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Rest(BaseModel):
    """Base of all shapes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Fault(Rest):
    """A faulty field."""

    loc: list[str | int]
    msg: str


PROBLEM_SAMPLE: dict[str, Any] = {
    "type": "urn:mediatask:problem:invalid-request",
    "title": "Bad Request",
    "status": 400,
    "detail": "task_data.scene_description: Field required",
    "instance": "/api/v1/tasks/submit",
    "errors": [{"loc": ["body", "task_data", "scene_description"], "msg": "Field required"}],
}


class Problem(Rest):
    """RFC 9457 problem document."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROBLEM_SAMPLE]})

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault]
