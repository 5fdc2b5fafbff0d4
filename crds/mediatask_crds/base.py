"""The two flavours of model: Kubernetes resources speak camelCase, task data speaks snake_case."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Resource(BaseModel):
    """Part of a custom resource: camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", use_attribute_docstrings=True
    )


class Wire(BaseModel):
    """A message between our own processes, or task data as REST callers write it: snake_case, strict."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
