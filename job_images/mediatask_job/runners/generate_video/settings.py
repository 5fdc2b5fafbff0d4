"""The class's parameters for films."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...film.form import Form
from ...picture.settings import DrawingSettings


class VideoSettings(DrawingSettings):
    """Absent ones are the model's own defaults."""

    mode: Literal["storyboard", "diffusion"] = "storyboard"
    """`storyboard`: a camera moves over the storyboard's pictures, or over stills that the class's image model draws
    when there are none. `diffusion`: the class's video model draws the clip from the text."""
    width: Annotated[int, Field(ge=64, le=4096, multiple_of=8)] = 1280
    """Width in pixels where the task says none."""
    height: Annotated[int, Field(ge=64, le=4096, multiple_of=8)] = 720
    """Height in pixels where the task says none."""
    stills: Annotated[int, Field(ge=1, le=16)] | None = None
    """Stills to draw for a storyboard without pictures; by default one for every three seconds."""
    native_fps: Annotated[int, Field(ge=1, le=60)] | None = None
    """Frames per second that the video model draws; the rest is blended in between."""
    max_frames: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most frames of one call of the video model; a longer clip is slowed down to its length."""

    def form(self, data: GenerateVideo) -> Form:
        """The film's size, rate and length. Raises InvalidInput when it is more than the class allows."""
        form = Form.lasting(data.duration, data.fps, data.width or self.width, data.height or self.height)
        self.check_pixels(form.frames, form.size, "frames")
        return form
