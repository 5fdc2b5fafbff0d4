"""How values merge, by schema: which lists are maps or sets, which values are atomic.

`x-kubernetes-list-type` and `-map-type` govern server-side apply, `x-kubernetes-patch-*` strategic merge patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .schema import Schema, item_schema, property_schema

# Defaults of list map keys that the API server sets before it compares items.
_KEY_DEFAULTS = {"protocol": "TCP"}


@dataclass(frozen=True, slots=True)
class Structure:
    """The merge behaviour at one path of an object."""

    schema: Schema

    def child(self, name: str) -> Structure:
        return Structure(property_schema(self.schema, name) or {})

    def item(self) -> Structure:
        """Structure of a list's items."""
        return Structure(item_schema(self.schema))

    @property
    def map_keys(self) -> tuple[str, ...]:
        """The fields that identify an item of this list; empty when it is not a list map."""
        if self.schema.get("x-kubernetes-list-type") == "map":
            return tuple(self.schema["x-kubernetes-list-map-keys"])
        return ()

    @property
    def merge_key(self) -> str:
        """The merge key of this list in a strategic merge patch; empty when the list is replaced."""
        return self.schema.get("x-kubernetes-patch-merge-key", "") if self.merges else ""

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch merges this list instead of replacing it."""
        return "merge" in self.schema.get("x-kubernetes-patch-strategy", "")

    @property
    def is_set(self) -> bool:
        return bool(self.schema.get("x-kubernetes-list-type") == "set")

    @property
    def is_atomic_map(self) -> bool:
        return bool(self.schema.get("x-kubernetes-map-type") == "atomic")


def identify(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """An item's identity in a list map."""
    return tuple(item.get(key, _KEY_DEFAULTS.get(key)) for key in keys)
