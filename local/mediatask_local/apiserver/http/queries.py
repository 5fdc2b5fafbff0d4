"""Query parameters with a type."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import bad_request


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A non-negative number; None when the parameter is absent or empty. Raises ApiError 400."""
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdigit()):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text) if text else None


def boolean(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")
