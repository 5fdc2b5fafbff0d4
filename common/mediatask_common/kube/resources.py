"""Kinds of objects by their place in the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mediatask_crds.names import GROUP, MEDIATASKCLASSES, MEDIATASKS, VERSION

Object = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A kind of object by its place in the API."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of a collection, an object or its subresource."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace is not None:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


TASKS = Resource(GROUP, VERSION, MEDIATASKS)
CLASSES = Resource(GROUP, VERSION, MEDIATASKCLASSES, namespaced=False)
JOBS = Resource("batch", "v1", "jobs")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
SECRETS = Resource("", "v1", "secrets")
CONFIGMAPS = Resource("", "v1", "configmaps")
NODES = Resource("", "v1", "nodes", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
TOKENREVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", namespaced=False)
