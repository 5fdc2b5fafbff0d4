"""The one node: this machine, as `kubectl get nodes` sees it."""

from __future__ import annotations

import asyncio
import os
import platform
import socket

from mediatask_common.kube import NODES, Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.times import rfc3339, utcnow

from ..pods.podstate import GPU

log = get_logger(__name__)

NAME = "embedded"
PID_ANNOTATION = "embedded.tasks.ft.tc/runner-pid"
"""PID of the job runner behind the node; the supervisor waits for it to appear."""
HEARTBEAT_SECONDS = 10.0
MAX_PODS = 250
CPU_OVERCOMMIT = 2
"""CPU requests are not enforced, and on a single machine a slow Job is better than one that stays pending."""


def machine_cpus() -> int:
    return len(os.sched_getaffinity(0))


def machine_memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def node_object(*, gpus: int, cpus: int | None = None, memory: int | None = None) -> Object:
    """The Node with its capacity.

    Args:
        gpus: `nvidia.com/gpu` slots.
        cpus: cores to offer; by default twice those of the machine.
        memory: bytes to offer; by default all of the machine.
    """
    resources = {
        "cpu": str(cpus or machine_cpus() * CPU_OVERCOMMIT),
        "memory": str(memory or machine_memory()),
        "pods": str(MAX_PODS),
        GPU: str(gpus),
    }
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NAME,
            "labels": {
                "kubernetes.io/hostname": NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": arch,
                **({"nvidia.com/gpu.present": "true"} if gpus else {}),
            },
            "annotations": {PID_ANNOTATION: str(os.getpid())},
        },
        "spec": {},
        "status": {
            "capacity": resources,
            "allocatable": dict(resources),
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": socket.gethostname()},
            ],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": platform.release(),
                "osImage": platform.platform(),
                "containerRuntimeVersion": "process://1",
                "kubeletVersion": "mediatask-embedded",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": arch,
            },
        },
    }


async def register(kube: Kube, node: Object) -> None:
    """Create the Node, or take over that of an earlier runner, and report it ready. Raises KubeError."""
    try:
        await kube.create(NODES, node)
    except KubeError as error:
        if not error.already_exists:
            raise
        metadata = {"labels": node["metadata"]["labels"], "annotations": node["metadata"]["annotations"]}
        await kube.patch(NODES, NAME, {"metadata": metadata})
    await report(kube, node, ready=True)


async def report(kube: Kube, node: Object, *, ready: bool) -> None:
    """Write the node's status, including the heartbeat. Raises KubeError."""
    moment = rfc3339(utcnow())
    if ready:
        status, reason, message = "True", "KubeletReady", "job runner is running"
    else:
        status, reason, message = "False", "KubeletStopped", "job runner is stopping"
    known = node["status"].get("conditions") or [{"status": "Unknown"}]
    flipped = known[0]["status"] != status
    node["status"]["conditions"] = [
        {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment if flipped else known[0]["lastTransitionTime"],
        }
    ]
    await kube.patch(NODES, NAME, {"status": node["status"]}, subresource="status")


async def heartbeat(kube: Kube, node: Object) -> None:
    """Report the node ready every HEARTBEAT_SECONDS; register it again when somebody has deleted it."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            await report(kube, node, ready=True)
        except KubeError as error:
            log.warning("heartbeat failed", error=str(error))
            if error.not_found:
                await _reregister(kube, node)


async def _reregister(kube: Kube, node: Object) -> None:
    try:
        await register(kube, node)
    except KubeError as error:
        log.warning("node could not be registered", error=str(error))
