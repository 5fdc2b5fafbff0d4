"""Where a class's model comes from: shared by the resource and by what the Job is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Resource


class ModelSource(Resource):
    """A model by name, place and revision. Exactly one of builtin, path, hub says where it lies."""

    builtin: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)] | None = None
    """A model made by the job runtime itself; needs no weights from outside, for example `tiny-image`."""
    path: Annotated[str, Field(pattern=r"^/", max_length=1024)] | None = None
    """A folder in the pod, for example on a mounted PersistentVolumeClaim."""
    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", max_length=255)] | None = None
    """A Hugging Face repository id; read from the model cache, fetched where the network allows."""
    revision: Annotated[str, Field(max_length=128)] | None = None
    """Commit or tag of the hub repository. Pin it: results are reproducible only against one revision."""
    pipeline: Annotated[str, Field(pattern=r"^[A-Z]\w*Pipeline$", max_length=127)] | None = None
    """The diffusers pipeline class to load; must be on the runtime's allow-list. Absent: as the model says."""
    licence: Annotated[str, Field(max_length=64)] | None = None
    """SPDX id or name of the weights' licence, recorded in every result."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Number format of the weights; by device when absent."""
    claim_name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)] | None = None
    """PersistentVolumeClaim mounted read-only at the cache folder (hub) or at path."""
