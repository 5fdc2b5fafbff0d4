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
"""Process that stands behind the node; the supervisor waits for it to appear."""
HEARTBEAT_SECONDS = 10.0
MAX_PODS = 250
CPU_OVERCOMMIT = 2
"""Requests are promises to share; on one machine a slower job beats one that waits for ever."""


def machine_cpus() -> int:
    return len(os.sched_getaffinity(0))


def machine_memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def node_object(*, gpus: int, cpus: int | None = None, memory: int | None = None) -> Object:
    """The Node, with what it offers.

    Args:
        gpus: slots of nvidia.com/gpu.
        cpus: cores it offers; twice what the machine has when absent.
        memory: bytes it offers; what the machine has when absent.
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
    """Create the Node or take it over from a runner that is gone, and report it ready."""
    try:
        await kube.create(NODES, node)
    except KubeError as error:
        if not error.already_exists:
            raise
        metadata = {"labels": node["metadata"]["labels"], "annotations": node["metadata"]["annotations"]}
        await kube.patch(NODES, NAME, {"metadata": metadata})
    await report(kube, node, ready=True)


async def report(kube: Kube, node: Object, *, ready: bool) -> None:
    """Write the node's status, heartbeat included."""
    moment = rfc3339(utcnow())
    state = ("True", "KubeletReady", "job runner is up") if ready else ("False", "KubeletStopped", "job runner stops")
    status, reason, message = state
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
    """Report the node ready for ever; a node that somebody deleted comes back."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            await report(kube, node, ready=True)
        except KubeError as error:
            log.warning("heartbeat failed", error=str(error))
            if error.not_found:
                await _again(kube, node)


async def _again(kube: Kube, node: Object) -> None:
    try:
        await register(kube, node)
    except KubeError as error:
        log.warning("node could not be registered", error=str(error))
