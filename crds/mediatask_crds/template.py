"""Prompt templates: `{{name}}` and `{{dotted.path}}`, nothing more, so that a template can do no harm."""

from __future__ import annotations

import json
import re
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


def fill(template: str, parameters: dict[str, Any], limit: int = 2**20) -> str:
    """The template with every placeholder replaced; lists and objects appear as JSON.

    A filled-in value is text: placeholders inside it are not replaced again. Beyond `limit` characters of values,
    further ones are left out: a short template may name a long value a thousand times.

    Raises:
        LookupError: names every placeholder without a parameter.
    """
    missing: list[str] = []
    room = limit

    def value(match: re.Match[str]) -> str:
        nonlocal room
        if room <= 0:
            return ""
        name = match.group(1)
        try:
            if not _NAME.fullmatch(name):
                raise LookupError(name)
            text = _as_text(_look_up(name, parameters))
        except LookupError:
            missing.append(name)
            return ""
        room -= len(text)
        return text

    filled = _PLACEHOLDER.sub(value, template)
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise LookupError(f"test_parameters has no value for: {names}")
    return filled


def _look_up(path: str, parameters: dict[str, Any]) -> Any:
    """The value at a dotted path; list items are addressed by number. LookupError when there is none."""
    found: Any = parameters
    # A key that contains dots itself wins: parameters often come flat.
    if path in parameters:
        return parameters[path]
    for part in path.split("."):
        if isinstance(found, dict):
            found = found[part]
        elif isinstance(found, list) and part.isdigit():
            found = found[int(part)]
        else:
            raise LookupError(path)
    return found


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
