"""The task types, their schemas and the classes that run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediatask_crds.tasktypes import TaskData

from .reading.classes import Class
from .schemas import TaskTypeAnswer, TaskTypeDetail

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def summary(kind: type[TaskData], classes: Sequence[Class]) -> TaskTypeAnswer:
    """A line of the catalogue."""
    return TaskTypeAnswer(**_common(kind, classes))


def detail(kind: type[TaskData], classes: Sequence[Class]) -> TaskTypeDetail:
    """All about a type."""
    schema = json_schema(kind)
    defaults = {name: field["default"] for name, field in schema["properties"].items() if "default" in field}
    shown = {name: value for name, value in defaults.items() if value is not None}
    return TaskTypeDetail(**_common(kind, classes), schema_=schema, defaults=shown)


def json_schema(kind: type[TaskData]) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a type's `task_data`, with what is required in alternatives."""
    schema = kind.model_json_schema()
    alternatives = [{"anyOf": [{"required": [name]} for name in group]} for group in kind.one_of_required]
    return {"$schema": DIALECT, **schema, **({"allOf": alternatives} if alternatives else {})}


def _common(kind: type[TaskData], classes: Sequence[Class]) -> dict[str, Any]:
    usable = [each for each in classes if kind.type_name in each.spec.task_types]
    defaults = [each.name for each in usable if each.spec.default]
    return {
        "name": kind.type_name,
        "summary": kind.summary,
        "media": kind.media,
        "typical_seconds": kind.typical_seconds,
        "default_class": defaults[0] if defaults else None,
        "classes": [each.name for each in usable],
    }
