"""`generate_video`: a clip of a scene, from text or from a storyboard."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from .base import InputUrls, Pixels, Seed, TaskData, Text, Word


class GenerateVideo(TaskData):
    """A clip with sound: storyboard pictures brought to life, or a scene generated from its description."""

    type_name: ClassVar[str] = "generate_video"
    summary: ClassVar[str] = "Generate a video clip from a scene description and storyboard pictures."
    media: ClassVar = "video"
    typical_seconds: ClassVar[int] = 300
    prompt_fields: ClassVar = ("scene_description",)

    scene_description: Text
    """What happens in the scene."""
    storyboard_images: InputUrls = []
    """URLs of pictures the clip moves through, in order."""
    camera_angle: Word | None = None
    """Camera, for example `wide_shot`, `close_up`, `pan_left`, `low_angle`."""
    lighting: Word | None = None
    """Lighting, for example `noir_dramatic`."""
    character_positions: Annotated[list[Word], Field(max_length=32)] = []
    """Where characters stand, for example `detective_center`."""
    audio_cues: Annotated[list[Word], Field(max_length=32)] = []
    """Sounds of the scene, for example `footsteps`, `rain_ambience`."""
    duration: Annotated[float, Field(ge=0.5, le=60)] = 7.0
    """Length in seconds."""
    fps: Annotated[int, Field(ge=1, le=60)] = 24
    """Frames per second."""
    width: Pixels | None = None
    """Width in pixels; the class decides when absent."""
    height: Pixels | None = None
    """Height in pixels; the class decides when absent."""
    seed: Seed | None = None
    """Seed of the random generator; chosen and reported when absent."""
