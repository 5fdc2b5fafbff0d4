"""Defaults and validation of pod specs, for Pods and for the templates of Jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import FieldError, duplicate_value, invalid_value, required, unsupported_value
from ..objects import Object

_POD_DEFAULTS: Object = {
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
}
_CONTAINER_DEFAULTS: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
# Default mode (0644) of files that the kubelet writes into volumes.
_FILE_MODE = 420
_VOLUMES_WITH_MODE = ("projected", "secret", "configMap", "downwardAPI")


def set_pod_defaults(spec: Object) -> None:
    """Set the API server's defaults, in place."""
    for field, value in _POD_DEFAULTS.items():
        spec.setdefault(field, dict(value) if isinstance(value, dict) else value)
    for container in _containers(spec):
        for field, value in _CONTAINER_DEFAULTS.items():
            container.setdefault(field, dict(value) if isinstance(value, dict) else value)
        container.setdefault("imagePullPolicy", _pull_policy(container.get("image", "")))
        for port in container.get("ports", ()):
            port.setdefault("protocol", "TCP")
    for volume in spec.get("volumes", ()):
        for kind in _VOLUMES_WITH_MODE:
            if isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", _FILE_MODE)
        for source in (volume.get("projected") or {}).get("sources", ()):
            if isinstance(source.get("serviceAccountToken"), dict):
                source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


# By default a pod is evicted from a lost node only after five minutes.
_NODE_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def set_own_pod_defaults(spec: Object) -> None:
    """Set the defaults of a Pod, in place; a pod template gets only some of them."""
    set_pod_defaults(spec)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **resources.get("requests", {})}


def admit_pod(spec: Object) -> None:
    """Add what the admission plugins of a cluster add to a new pod, in place."""
    spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    tolerations = spec.setdefault("tolerations", [])
    for key in _NODE_TOLERATIONS:
        if not any(toleration.get("key") in (key, None) for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _pull_policy(image: str) -> str:
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return "IfNotPresent" if "@" in image or (tag and tag != "latest") else "Always"


def _containers(spec: Object) -> Iterator[Object]:
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            if isinstance(container, dict):
                yield container


def pod_errors(spec: Any, path: str) -> Iterator[FieldError]:
    """Validation errors of a pod spec. Covers the mistakes that controllers make, not every rule of the real server."""
    if not isinstance(spec, dict) or not spec.get("containers"):
        yield required(f"{path}.containers")
        return
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            name = container.get("name")
            if not name:
                yield required(f"{where}.name")
            elif name in seen:
                yield duplicate_value(f"{where}.name", name)
            seen.add(name)
            if not container.get("image"):
                yield required(f"{where}.image")
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                if mount.get("name") not in volumes:
                    yield FieldError(
                        f"{where}.volumeMounts[{number}].name",
                        "FieldValueNotFound",
                        f'Not found: "{mount.get("name")}"',
                    )
                if not mount.get("mountPath"):
                    yield required(f"{where}.volumeMounts[{number}].mountPath")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        yield invalid_value(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
    policy = spec.get("restartPolicy", "Always")
    if policy not in ("Always", "OnFailure", "Never"):
        yield unsupported_value(f"{path}.restartPolicy", policy, ("Always", "OnFailure", "Never"))


def quality_of_service(spec: Object) -> str:
    """The pod's QoS class: BestEffort without any requests, Guaranteed when cpu and memory requests equal limits."""
    resources = [container.get("resources") or {} for container in _containers(spec)]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        if any(kind not in limits or requests.get(kind) != limits[kind] for kind in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"
