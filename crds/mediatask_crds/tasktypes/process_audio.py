"""`process_audio`: speech from text."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import InputUrl, TaskData, Text, Word


class ProcessAudio(TaskData):
    """Spoken dialogue with an optional background."""

    type_name: ClassVar[str] = "process_audio"
    summary: ClassVar[str] = "Speak a text, with emotion, pace and background noise."
    media: ClassVar = "audio"
    typical_seconds: ClassVar[int] = 60
    prompt_fields: ClassVar = ("text",)

    text: Text
    """The words to speak."""
    character_voice_profile: InputUrl | None = None
    """URL of a recording of the voice to follow."""
    emotion: Word | None = None
    """Emotion, for example `mysterious`."""
    pace: Word | None = None
    """Pace: `very_slow`, `slow`, `normal`, `fast` or `very_fast`."""
    background_noise: Word | None = None
    """Ambience under the voice, for example `rain_ambience`."""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] | None = None
    """BCP 47 language tag; `en-US` when absent."""
    format: Literal["mp3", "wav"] = "mp3"
    """File format of the result."""
