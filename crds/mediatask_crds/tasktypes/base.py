"""What every task type has in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..base import Wire

# Bounds keep CEL rules affordable for the API server and keep nonsense away from a GPU.
Text = Annotated[str, Field(min_length=1, max_length=8192)]
Word = Annotated[str, Field(min_length=1, max_length=128)]
InputUrl = Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^(https?|upload)://\S+$")]
InputUrls = Annotated[list[InputUrl], Field(max_length=64)]
Pixels = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]
# The largest integer that every JSON reader keeps exactly. Beyond it the API server cannot tell a bound from a fraction
# and refuses every value.
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]


class TaskData(Wire):
    """Base of a type's `task_data`. Fields carry their names as REST callers and kubectl users write them."""

    type_name: ClassVar[str]
    """The value of `task_type` that selects this model."""
    summary: ClassVar[str]
    """One sentence for catalogues and `--help`."""
    media: ClassVar[Literal["image", "video", "audio", "json"]]
    """What kind of file the result is."""
    typical_seconds: ClassVar[int]
    """An estimate of a run before any was measured, in seconds."""
    one_of_required: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields of which at least one must be given (aliases of one another)."""
