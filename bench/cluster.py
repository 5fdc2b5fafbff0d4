"""A cluster for a measurement: the harness's control plane, and kwok with stages and nodes of the bench's own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from cluster.harness import Cluster, Options, build, kwok, service_account_kubeconfig
from cluster.harness.processes import Processes
from cluster.harness.recipes import CONTROL_PLANE, KWOK
from cluster.harness.wait import wait_for
from mediatask_common.kube import NODES, Kube, Object, Resource

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
ACCOUNTS = Resource("", "v1", "serviceaccounts")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", namespaced=False)

NAMESPACE = "default"
OPERATOR_ACCOUNT = "bench-operator"
OPERATOR_USER = f"system:serviceaccount:{NAMESPACE}:{OPERATOR_ACCOUNT}"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(1016)
"""What every task produces: enough for the operator to have something to check."""
STAGES = Path(__file__).with_name("stages.yaml")
NODE_COUNT = 4


@dataclass(frozen=True)
class BenchCluster:
    """A running cluster.

    Attributes:
        admin: kubeconfig of the administrator.
        operator: kubeconfig of the operator under measurement, a service account that may do everything.
        audit_log: every request.
        processes: process ids of the control plane and kwok, by program.
        check: raises ClusterError when a part of it has died.
    """

    admin: Path
    operator: Path
    audit_log: Path
    processes: dict[str, int]
    check: Callable[[], None]


@asynccontextmanager
async def bench_cluster(folder: Path, tasks: int, *, pods_end: bool = True) -> AsyncIterator[BenchCluster]:
    """A cluster in a new folder, with a GPU for each of `tasks`.

    Args:
        folder: emptied afterwards, but for the logs.
        tasks: pods that may run at one time.
        pods_end: whether pods end by themselves after 1 s; else they run until they are deleted.
    """
    binaries = build((*CONTROL_PLANE, KWOK), report=lambda _: None)
    # Nodes of the harness would play the stages of its tests; see stages.yaml.
    with Cluster(folder / "cluster", Options(node="none", audit=True), report=lambda _: None) as cluster:
        stages = folder / "stages.yaml"
        stages.write_text(_stages(pods_end=pods_end))
        nodes = Processes(folder / "cluster" / "logs")
        try:
            arguments = kwok.arguments(folder / "cluster" / "state" / "kwok.kubeconfig")
            nodes.start("kwok", binaries / "kwok", [_with_stages(argument, stages) for argument in arguments])
            async with await Kube.connect(cluster.kubeconfig) as kube:
                await _add_nodes(kube, gpus=-(-tasks // NODE_COUNT))
                await add_account(kube)
            operator = folder / "operator.kubeconfig"
            # In a thread: the official client blocks.
            await asyncio.to_thread(
                service_account_kubeconfig, cluster.kubeconfig, NAMESPACE, OPERATOR_ACCOUNT, operator, seconds=36000
            )
            assert cluster.audit_log is not None

            def check() -> None:
                cluster.check()
                nodes.check()

            yield BenchCluster(cluster.kubeconfig, operator, cluster.audit_log, machine.children(), check)
        finally:
            nodes.stop()


def _stages(*, pods_end: bool) -> str:
    text = STAGES.read_text()
    text = text.replace("@SHA256@", hashlib.sha256(PICTURE).hexdigest()).replace("@BYTES@", str(len(PICTURE)))
    stages = text.split("\n---\n")
    return "\n---\n".join(stage for stage in stages if pods_end or "name: pod-end" not in stage)


def _with_stages(argument: str, stages: Path) -> str:
    return f"--config={stages}" if argument.startswith("--config=") else argument


async def _add_nodes(kube: Kube, gpus: int) -> None:
    for number in range(NODE_COUNT):
        node = kwok.node(number, gpus)
        for amount in (node["status"]["capacity"], node["status"]["allocatable"]):
            amount["pods"] = str(gpus)
        await kube.create(NODES, node)
    for number in range(NODE_COUNT):
        name = kwok.node(number, gpus)["metadata"]["name"]
        await wait_for(kube, NODES, name, _is_ready, seconds=60)


def _is_ready(node: Object) -> bool:
    taints = {taint["key"] for taint in node["spec"].get("taints") or []}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions") or [])
    return ready and taints == {kwok.GPU}


async def add_account(kube: Kube) -> None:
    """The service account of what is measured.

    Roles are the cluster tests' business; here both contestants may do everything, at the same cost.
    """
    meta = {"name": OPERATOR_ACCOUNT}
    await kube.create(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}, NAMESPACE)
    subject = {"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": meta}
    await kube.create(BINDINGS, {**binding, "subjects": [subject], "roleRef": role})
