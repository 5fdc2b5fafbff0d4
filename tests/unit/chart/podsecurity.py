"""The restricted Pod Security profile, as far as a chart can break it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}


def violations(spec: Object) -> Iterator[str]:
    """What the profile forbids in a pod's spec, and what this chart asks for beyond it: a read-only root."""
    pod = spec.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    for volume in spec.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    for container in spec.get("initContainers", []) + spec["containers"]:
        own = container.get("securityContext", {})
        for found in _violations(container, own, pod):
            yield f"container {container['name']}: {found}"


def _violations(container: Object, own: Object, pod: Object) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate its privileges"
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "writes to its root"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True or not own.get("runAsUser", pod.get("runAsUser")):
        yield "may be root"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield "has no seccomp profile"
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield "takes a port of the node"
