"""What may stand in text and in free-form JSON: only what every reader down the line keeps exactly.

Kubernetes knows integers of 64 bits and finite numbers, and NUL or half a surrogate pair stops many a reader of text.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import to_json

T = TypeVar("T")

MAX_DEPTH = 64
"""Levels of nesting."""
NO_NUL = r"^[^\x00]*$"
LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Pattern of text without control characters: fit for a table or a terminal."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def check_text(text: str) -> str:
    """The text as it is. Raises ValueError for a NUL character and for a lone surrogate."""
    if "\0" in text:
        raise ValueError("NUL characters are not accepted")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("lone surrogates are not accepted")
    return text


def check_json(value: T) -> T:
    """The JSON value as it is.

    Raises:
        ValueError: it holds, at the place that the message names, an integer that does not fit into 64 bits, a number
            that is not finite, text that `check_text` refuses, or more than `MAX_DEPTH` levels.
    """
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())]
    while waiting:
        item, path = waiting.pop()
        try:
            _check_scalar(item)
            if isinstance(item, dict):
                for key in item:
                    check_text(key)
        except ValueError as error:
            raise ValueError(f"{_spelled(path)}{error}") from None
        children = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        if children and len(path) == MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        waiting += ((child, (*path, key)) for key, child in children)
    return value


def at_most(limit: int) -> AfterValidator:
    """Bounds a value's size: `limit` bytes as compact JSON."""

    def check(value: T) -> T:
        size = len(to_json(value))
        if size > limit:
            raise ValueError(f"{size} bytes as JSON, at most {limit} are accepted")
        return value

    return AfterValidator(check)


def without_control_characters(text: str) -> str:
    """The text with `?` for each control character but tab and line feed: it may go to a terminal."""
    return _CONTROL.sub("?", text)


NoNul = Annotated[str, AfterValidator(check_text), Field(json_schema_extra={"pattern": NO_NUL})]
"""Text without NUL, here and in the CRD."""
FREE_FORM = AfterValidator(check_json)
"""For objects of no fixed form."""


def _check_scalar(item: Any) -> None:
    match item:
        case str():
            check_text(item)
        case bool():
            return
        case int() if not -(2**63) <= item < 2**63:
            raise ValueError("integers must fit into 64 bits")
        case float() if not math.isfinite(item):
            raise ValueError("numbers must be finite")


def _spelled(path: tuple[str | int, ...]) -> str:
    return f"{'.'.join(ascii(part).strip(chr(39)) for part in path)[:200]}: " if path else ""
