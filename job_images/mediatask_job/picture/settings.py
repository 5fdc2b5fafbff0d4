"""The class's parameters for drawing pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mediatask_crds.base import Resource


class DrawingSettings(Resource):
    """Absent ones are the model's own defaults."""

    steps: Annotated[int, Field(ge=1, le=500)] | None = None
    """Denoising steps where the task says none."""
    guidance_scale: Annotated[float, Field(ge=0, le=50)] | None = None
    """How strictly the model follows the text."""
    native_size: Annotated[int, Field(ge=32, le=4096)] | None = None
    """Side in pixels of the square whose area suits the model; pictures are drawn at about that area and then
    scaled to the wanted size. Absent: drawn at the wanted size."""
