"""The two flavours of model: Kubernetes resources speak camelCase, task data speaks snake_case."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=64)]


class Resource(BaseModel):
    """Part of a custom resource: camelCase on the wire, unknown fields refused where one is made."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", use_attribute_docstrings=True
    )

    @classmethod
    def from_stored(cls, value: dict[str, Any]) -> Self:
        """The model of what the API server keeps, without the fields that this version does not know.

        A newer version may have written the object before a rollback; the API server has checked it then.

        Raises:
            ValidationError: a known field has a value that is not one of its own.
        """
        return cls.model_validate(value, extra="ignore")


class Wire(BaseModel):
    """A message between our own processes, or task data as REST callers write it: snake_case, strict."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
