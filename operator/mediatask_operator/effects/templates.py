"""Templates over what is known of a task. Pure.

A template is text with `{paths}`: `{project_id}`, `{task_data.prompt}`, `{result.metadata.width}`. A single path with
nothing around it keeps the value's type, and `{path:number}` makes a number of it; where the value is absent, so is the
result. In a longer text an absent value is empty. `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

TEMPLATE_LIMIT = 1024
TEXT_LIMIT = 4096
"""Characters of a value; longer text is cut."""
VALUE_LIMIT = 16 * 1024
"""Bytes of a list or an object as JSON; a larger one is left out."""
ROOTS = ("task_id", "project_id", "project", "task_type", "class_name", "tags", "metadata", "task_data", "result")
"""Where paths begin: the names of the REST answer, and `project`, the id of the project's own document."""
_LARGEST = 2.0**53
"""What every reader of JSON takes exactly."""
_TOKEN = re.compile(r"\{\{|\}\}|\{([a-z_]+(?:\.[A-Za-z0-9_-]+){0,8})(:number)?\}|[{}]")


@dataclass(frozen=True)
class _Path:
    names: tuple[str, ...]
    as_number: bool

    def value(self, known: Mapping[str, Any]) -> Any:
        found: Any = known
        for name in self.names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return _number(found) if self.as_number else found


class Template:
    """A text with paths."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no template."""
        if len(text) > TEMPLATE_LIMIT:
            raise ValueError(f"a template has at most {TEMPLATE_LIMIT} characters")
        self._parts: list[str | _Path] = []
        end = 0
        for token in _TOKEN.finditer(text):
            self._parts.append(text[end : token.start()])
            end = token.end()
            if token[1]:
                path = _Path(tuple(token[1].split(".")), token[2] is not None)
                if path.names[0] not in ROOTS:
                    raise ValueError(f"{{{token[1]}}}: a path begins with one of {', '.join(ROOTS)}")
                self._parts.append(path)
            elif token[0] in ("{{", "}}"):
                self._parts.append(token[0][0])
            else:
                raise ValueError(f"{text!r} has a brace that stands for no value; write {{{{ for one that is text")
        self._parts = [part for part in (*self._parts, text[end:]) if part != ""]

    @property
    def roots(self) -> set[str]:
        """What has to be known."""
        return {part.names[0] for part in self._parts if isinstance(part, _Path)}

    def filled(self, known: Mapping[str, Any]) -> str:
        """The text; empty where one of its values is absent."""
        texts = [part if isinstance(part, str) else _text(part.value(known)) for part in self._parts]
        return "".join(texts)[:TEXT_LIMIT] if all(texts) else ""

    def render(self, known: Mapping[str, Any]) -> Any:
        """The value; None where there is none."""
        if len(self._parts) == 1 and isinstance(self._parts[0], _Path):
            return _bounded(self._parts[0].value(known))
        texts = (part if isinstance(part, str) else _text(part.value(known)) for part in self._parts)
        return "".join(texts)[:TEXT_LIMIT]


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT_LIMIT]
    if isinstance(value, Mapping | list):
        return value if len(orjson.dumps(value)) <= VALUE_LIMIT else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value[:TEXT_LIMIT] if isinstance(value, str) else orjson.dumps(value).decode()[:TEXT_LIMIT]


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not abs(number) <= _LARGEST:  # NaN is not
        return None
    return int(number) if number.is_integer() else number
