"""The class's parameters for drawing pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mediatask_crds.base import Resource

from ..failures import InvalidInput


class DrawingSettings(Resource):
    """Absent ones are the model's own defaults."""

    steps: Annotated[int, Field(ge=1, le=500)] | None = None
    """Denoising steps where the task says none."""
    guidance_scale: Annotated[float, Field(ge=0, le=50)] | None = None
    """How strictly the model follows the text."""
    native_size: Annotated[int, Field(ge=32, le=4096)] | None = None
    """Side in pixels of the square whose area suits the model; pictures are drawn at about that area and then
    scaled to the wanted size. Absent: drawn at the wanted size."""
    max_pixels: Annotated[int, Field(ge=1)] = 15 * 10**9
    """Most pixels of all pictures or frames of a task together. The default is a minute of 4K at 30 frames per
    second."""

    preview_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """Least seconds between two previews of what is being drawn; 0 for none."""

    def check_pixels(self, count: int, size: tuple[int, int], what: str) -> None:
        """Refuse what would keep a machine busy for hours, before anything is done.

        Raises:
            InvalidInput: more than `max_pixels`.
        """
        width, height = size
        if (wanted := count * width * height) > self.max_pixels:
            raise InvalidInput(
                "TooManyPixels",
                f"{count} {what} of {width}x{height} are {wanted / 1e6:,.0f} million pixels; this class makes at most "
                f"{self.max_pixels / 1e6:,.0f} million (its parameter maxPixels)",
            )
