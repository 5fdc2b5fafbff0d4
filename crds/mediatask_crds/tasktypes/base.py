"""What every task type has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from ..base import Wire
from ..freeform import NoNul

# Bounds keep CEL rules affordable for the API server and keep nonsense away from a GPU.
Text = Annotated[NoNul, Field(min_length=1, max_length=8192)]
Word = Annotated[NoNul, Field(min_length=1, max_length=128)]


class _Input:
    """Marks a text as the URL of an input, so that `input_urls` finds it."""


InputUrl = Annotated[
    str,
    Field(
        min_length=8,
        max_length=2048,
        pattern=r"^(https?|upload|task)://[^\s\x00-\x20\x7f]+$",
        # Tells the command line which fields take a file.
        json_schema_extra={"x-input-url": True},
    ),
    _Input(),
]
"""An http or https URL, or a reference (see `references`)."""
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
    prompt_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that say what to make; the first that is given counts."""

    def composed(self) -> str:
        """What a model reads that is put together from several fields; here the fields one after the other."""
        return ", ".join(text for _, text in texts(self))


def input_urls(data: TaskData) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every `InputUrl` of validated task data with its place, for example `(("reference_images", 0), "https://...")`."""
    return _inputs_of(data, ())


def texts(data: TaskData) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of validated task data that is not the URL of an input, names in free-form objects included."""
    for name, field in type(data).model_fields.items():
        if name in data.model_fields_set and not _is_input(field):
            yield from _spoken(getattr(data, name), (name,))


def _spoken(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(value, path)]
    while waiting:
        item, place = waiting.pop(0)
        if isinstance(item, str):
            yield place, item
        elif isinstance(item, dict):
            for key, child in item.items():
                yield (*place, key), key
                waiting.append((child, (*place, key)))
        elif isinstance(item, (list, tuple)):
            waiting += [(child, (*place, number)) for number, child in enumerate(item)]


def _is_input(field: FieldInfo) -> bool:
    return any(isinstance(mark, _Input) for mark in field.metadata) or _marked(field.annotation)


def _inputs_of(model: BaseModel, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, field in type(model).model_fields.items():
        yield from _texts(getattr(model, name), (*path, name), marked=_is_input(field))


def _marked(annotation: Any) -> bool:
    """Whether the type, or one that it is made of, is an InputUrl."""
    args = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return any(isinstance(mark, _Input) for mark in args[1:]) or _marked(args[0])
    return any(_marked(arg) for arg in args)


def _texts(value: Any, path: tuple[str | int, ...], *, marked: bool) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, BaseModel):
        yield from _inputs_of(value, path)
    elif isinstance(value, str):
        if marked:
            yield path, value
    elif isinstance(value, (list, tuple, dict)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(child, (*path, key), marked=marked)
