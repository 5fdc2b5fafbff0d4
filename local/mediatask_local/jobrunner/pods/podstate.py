"""Small functions that read pods, for all three controllers."""

from __future__ import annotations

from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from mediatask_common.kube import Object

GPU = "nvidia.com/gpu"
LOG_ANNOTATION = "embedded.tasks.ft.tc/log"
"""Where the pod's output is written; the API server reads logs from there."""
TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
"""Keeps a Job's pod until it has been counted."""


def phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def is_terminal(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_deleting(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def node_of(pod: Object) -> str | None:
    """Name of the node the pod is bound to."""
    name: str | None = pod["spec"].get("nodeName")
    return name


def container_of(pod: Object) -> Object:
    """The pod's first container; pods with more are refused (see `images.spec_refusal`)."""
    container: Object = pod["spec"]["containers"][0]
    return container


def requests(pod: Object) -> dict[str, Decimal]:
    """The pod's requests by resource. A limit without a request counts as the request, as in Kubernetes."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name, quantity in wanted.items():
            total[name] = total.get(name, Decimal(0)) + parse_quantity(quantity)
    return total


def memory_limit(pod: Object) -> int | None:
    """Memory limit of the pod's container in bytes; None without one."""
    limits = (container_of(pod).get("resources") or {}).get("limits") or {}
    return int(parse_quantity(limits["memory"])) if "memory" in limits else None


def owner_uid(obj: Object) -> str | None:
    """UID of the controller that owns the object."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)
