"""The fields of a document, each from a template. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..templates import Template

FIELDS_LIMIT = 32
RESERVED = ("id", "task_id", "file", "filename", "filesize", "mimeType")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class Fields:
    """Fields of documents by their names."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        """Raises ValueError, which names the field, for what cannot be a mapping."""
        if len(templates) > FIELDS_LIMIT:
            raise ValueError(f"at most {FIELDS_LIMIT} fields")
        self._templates: dict[str, Template] = {}
        for name, text in templates.items():
            if name in RESERVED or not _FIELD.fullmatch(name):
                raise ValueError(f"field {name!r}: not a name, or one that is set in any case")
            try:
                self._templates[name] = Template(text)
            except ValueError as error:
                raise ValueError(f"field {name!r}: {error}") from None

    @property
    def roots(self) -> set[str]:
        """What has to be known."""
        return {root for template in self._templates.values() for root in template.roots}

    def render(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that have a value."""
        values = {name: template.render(known) for name, template in self._templates.items()}
        return {name: value for name, value in values.items() if value is not None}
