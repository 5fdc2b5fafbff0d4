"""`generate_image`: a picture from a description."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import InputUrl, InputUrls, Pixels, Seed, TaskData, Text, Word


class GenerateImage(TaskData):
    """One picture, or several, of a described subject."""

    type_name: ClassVar[str] = "generate_image"
    summary: ClassVar[str] = "Generate pictures from a description."
    media: ClassVar = "image"
    typical_seconds: ClassVar[int] = 150
    prompt_fields: ClassVar = ("character_description", "prompt")
    one_of_required: ClassVar = (("character_description", "prompt"),)

    character_description: Text | None = None
    """What to show. Required, unless `prompt` says it."""
    prompt: Text | None = None
    """Another name for `character_description`; give one of the two."""
    style_guide: InputUrl | None = None
    """URL of a picture whose palette and mood are to be followed."""
    reference_images: InputUrls = []
    """URLs of pictures of the subject."""
    pose: Word | None = None
    """Pose of the subject, for example `standing_confident`."""
    lighting: Word | None = None
    """Lighting, for example `dramatic_shadow`."""
    negative_prompt: Text | None = None
    """What not to show."""
    width: Pixels = 1024
    """Width in pixels, a multiple of 8."""
    height: Pixels = 1024
    """Height in pixels, a multiple of 8."""
    steps: Annotated[int, Field(ge=1, le=150)] | None = None
    """Denoising steps; the class's model decides when absent."""
    seed: Seed | None = None
    """Seed of the random generator; equal seeds give equal pictures. Chosen and reported when absent."""
    num_images: Annotated[int, Field(ge=1, le=8)] = 1
    """How many pictures to make, with consecutive seeds."""
    format: Literal["jpeg", "png", "webp"] = "jpeg"
    """File format of the pictures."""

    @model_validator(mode="after")
    def _one_description(self) -> Self:
        if not (self.character_description or self.prompt):
            raise ValueError("character_description (or its alias prompt) is required")
        if self.character_description and self.prompt and self.character_description != self.prompt:
            raise ValueError("give character_description or its alias prompt, not two different texts")
        return self

    @property
    def description(self) -> str:
        """The text to draw, whichever of the two names it came under."""
        return self.character_description or self.prompt or ""
