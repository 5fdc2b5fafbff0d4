"""Nodes that kwok plays: the scheduler sees GPUs, the pods on them play the stages of `stages.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.harness.controlplane import Identity

STAGES = Path(__file__).with_name("stages.yaml")
GPU = "nvidia.com/gpu"
# The part of a kubelet for every node at once: no role of Kubernetes is made for that.
KWOK = Identity("kwok", ("system:masters",))


def arguments(kubeconfig: Path) -> list[str]:
    """The command line of kwok."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={STAGES}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",  # without leases the node controller declares the nodes dead
    ]


def node(number: int, gpus: int) -> dict[str, Any]:
    """A node with `gpus` GPUs that, as on a real GPU node, only pods with the toleration may use."""
    name = f"gpu-{number}"
    capacity = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "1000", GPU: str(gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "nvidia.com/gpu.present": "true",
            },
        },
        "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]},
        "status": {"capacity": capacity, "allocatable": capacity},
    }
