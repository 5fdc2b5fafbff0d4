"""How values merge: which lists are maps or sets, which values are replaced as one.

Custom resources say so in their schema (`x-kubernetes-list-type` and friends). Built-in kinds say so in Go types
that this server does not have; the fields that matter are listed here by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .schema import Schema, item_schema, property_schema

# field: keys of a server-side apply list, key of a strategic merge list
_BUILTIN_MAPS: dict[str, tuple[tuple[str, ...], str]] = {
    "containers": (("name",), "name"),
    "initContainers": (("name",), "name"),
    "ephemeralContainers": (("name",), "name"),
    "env": (("name",), "name"),
    "volumes": (("name",), "name"),
    "volumeMounts": (("mountPath",), "mountPath"),
    "volumeDevices": (("devicePath",), "devicePath"),
    "ports": (("containerPort", "protocol"), "containerPort"),
    "imagePullSecrets": (("name",), "name"),
    "secrets": (("name",), "name"),
    "hostAliases": (("ip",), "ip"),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    "resourceClaims": (("name",), "name"),
    "conditions": (("type",), "type"),
    "ownerReferences": (("uid",), "uid"),
    "podIPs": (("ip",), "ip"),
}
_BUILTIN_SETS = frozenset(("finalizers",))
_BUILTIN_ATOMIC = frozenset(
    ("selector", "labelSelector", "nodeSelector", "fieldRef", "secretKeyRef", "configMapKeyRef")
)


@dataclass(frozen=True, slots=True)
class Structure:
    """The merge behaviour of one place in an object: `field` is its name, `schema` None for built-in kinds."""

    schema: Schema | None
    field: str = ""

    def child(self, name: str) -> Structure:
        if self.schema is None or (not self.field and name == "metadata"):
            return Structure(None, name)
        return Structure(property_schema(self.schema, name) or {}, name)

    def item(self) -> Structure:
        """Structure of a list's items."""
        return Structure(None if self.schema is None else item_schema(self.schema), f"{self.field}[]")

    @property
    def map_keys(self) -> tuple[str, ...]:
        """The fields that identify an item of this list; empty when it is no map."""
        if self.schema is None:
            return _BUILTIN_MAPS.get(self.field, ((), ""))[0]
        if self.schema.get("x-kubernetes-list-type") == "map":
            return tuple(self.schema["x-kubernetes-list-map-keys"])
        return ()

    @property
    def merge_key(self) -> str:
        """The identifying field of a list in a strategic merge patch (built-in kinds alone know these)."""
        return _BUILTIN_MAPS.get(self.field, ((), ""))[1]

    @property
    def is_set(self) -> bool:
        if self.schema is None:
            return self.field in _BUILTIN_SETS
        return bool(self.schema.get("x-kubernetes-list-type") == "set")

    @property
    def is_atomic_map(self) -> bool:
        if self.schema is None:
            return self.field in _BUILTIN_ATOMIC
        return bool(self.schema.get("x-kubernetes-map-type") == "atomic")


def identify(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """An item's identity in a list map. A missing key takes the API's default where there is one."""
    defaults = {"protocol": "TCP"}
    return tuple(item.get(key, defaults.get(key)) for key in keys)
