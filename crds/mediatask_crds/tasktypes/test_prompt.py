"""`test_prompt`: try a prompt template, in the isolated project of the prompt studio or any other."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from ..freeform import FREE_FORM
from ..template import fill
from .base import TaskData, Text, Word


class TestPrompt(TaskData):
    """A template filled from parameters and run through a text model."""

    __test__ = False  # not a test case, whatever its name says to pytest

    type_name: ClassVar[str] = "test_prompt"
    summary: ClassVar[str] = "Fill a prompt template and run it through a text model."
    media: ClassVar = "json"
    typical_seconds: ClassVar[int] = 15
    prompt_fields: ClassVar = ("prompt_template",)

    prompt_template: Text
    """The template; `{{name}}` is replaced by `test_parameters.name`."""
    prompt_id: Word | None = None
    """Id of the prompt under test, echoed in the result."""
    agent_type: Word | None = None
    """Agent that the prompt is written for, for example `character_creator`."""
    test_parameters: Annotated[dict[str, Any], Field(max_length=128), FREE_FORM] = {}
    """Values for the template."""
    test_result_id: Word | None = None
    """Id of the row that waits for the result, echoed in it."""

    def composed(self) -> str:
        """The template, filled; nothing where it cannot be."""
        try:
            return fill(self.prompt_template, self.test_parameters, limit=64 * 1024)
        except LookupError:
            return ""
