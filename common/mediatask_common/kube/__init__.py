"""A client of the Kubernetes API that works on plain JSON objects: a few verbs and one error type."""

from .client import APPLY, BUSY_REPEATS, Kube
from .errors import KubeError
from .resources import (
    CLASSES,
    CONFIGMAPS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    TASKS,
    TOKENREVIEWS,
    Object,
    Resource,
)

__all__ = [
    "APPLY",
    "BUSY_REPEATS",
    "CLASSES",
    "CONFIGMAPS",
    "EVENTS",
    "JOBS",
    "NAMESPACES",
    "NODES",
    "PODS",
    "SECRETS",
    "TASKS",
    "TOKENREVIEWS",
    "Kube",
    "KubeError",
    "Object",
    "Resource",
]
