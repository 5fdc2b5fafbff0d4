"""A node from start to stop: namespaces, containerd, kubelet, kube-proxy, CoreDNS, and GPUs that it only claims."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from kubernetes import client, utils

from cluster.harness.controlplane import Identity
from cluster.harness.node import cgroups, configuration, namespaces
from cluster.harness.node.containerd import Containerd
from cluster.harness.node.images import write_image
from cluster.harness.processes import Processes
from cluster.harness.rundir import RunDir

READY_SECONDS = 90
NAMESPACES = "node"  # the process that holds them, beside those of the parts
KUBE_PROXY_HEALTH = f"http://{namespaces.NODE_ADDRESS}:10256/healthz"

Part = Literal["containerd", "kubelet", "kube-proxy", "coredns"]


class RealNode:
    """The one node of a cluster, in the harness's processes. First `prepare`, then the control plane, then `start`.

    Args:
        binaries: where the programs lie.
        directory: the cluster's folder, taken.
        processes: the cluster's; the node's join them.
        gpus: how many `nvidia.com/gpu` the scheduler sees; there is no device behind them.
        admin: an administrator's client configuration, complete when `start` is called.
    """

    def __init__(
        self, binaries: Path, directory: RunDir, processes: Processes, gpus: int, admin: client.Configuration
    ) -> None:
        self._binaries = binaries
        self._directory = directory
        self._processes = processes
        self._gpus = gpus
        self._admin = admin
        self._containerd = Containerd(binaries, directory.node)
        self._settings = configuration.Settings(
            folder=directory.node / "settings",
            binaries=binaries,
            certificate_authority=directory.state / "ca.crt",
            runc=Path(shutil.which("runc") or "runc"),
            cgroup=directory.cgroup,
        )

    def credentials(self) -> list[tuple[Identity, Path]]:
        """Who the parts are, and where their kubeconfigs are to be written before the control plane starts."""
        return [
            (configuration.KUBELET, self._settings.kubeconfig("kubelet")),
            (configuration.KUBE_PROXY, self._settings.kubeconfig("kube-proxy")),
            (configuration.COREDNS, self._settings.kubeconfig("coredns")),
        ]

    def prepare(self) -> None:
        """Makes the namespaces and this machine's address in the node's network, where the API server listens.

        Raises:
            ClusterError: another cluster has a real node here, or the kernel refuses.
        """
        namespaces.check_free()
        self._settings.folder.mkdir(parents=True)
        self._settings.write()
        cgroups.create(self._directory.cgroup)
        self._start_in("new", NAMESPACES, self._binaries / "pause", [])
        self._processes.wait_until(
            "namespaces", lambda: _child(self._processes.pid(NAMESPACES)) is not None, READY_SECONDS
        )
        namespaces.furnish(
            self.pid(NAMESPACES),
            self._directory.node,
            self._directory.logs,
            needed=[self._binaries, self._settings.runc],
        )

    def start(self) -> None:
        """Starts the parts and returns when pods run.

        Raises:
            ClusterError: a part did not become ready.
        """
        self._await("containerd", self._launch("containerd"))
        pause = write_image(
            self._directory.node / "pause.tar",
            configuration.PAUSE_IMAGE,
            files={"pause": self._binaries / "pause"},
            entrypoint=["/pause"],
        )
        self.import_images(pause)
        with client.ApiClient(self._admin) as api:
            for item in configuration.dns_objects():
                utils.create_from_dict(api, item)
        # All started before the first is waited for: none needs another.
        parts: tuple[Part, ...] = ("kubelet", "kube-proxy", "coredns")
        for part, ready in [(part, self._launch(part)) for part in parts]:
            self._await(part, ready)

    def import_images(self, *archives: Path) -> None:
        """Loads OCI or Docker archives; pods use their images with `imagePullPolicy: Never` or `IfNotPresent`.

        Raises:
            ClusterError: an archive is none, or containerd does not run.
        """
        self._containerd.import_images(archives)

    def kill_container(self, container_id: str) -> None:
        """Kills a container with SIGKILL, as no process inside it can.

        Args:
            container_id: from `status.containerStatuses[].containerID` of its pod.

        Raises:
            ClusterError: it does not run.
        """
        self._containerd.kill(container_id)

    def pid(self, part: str) -> int:
        """The process id of a part, on this machine; to be sent SIGSTOP and SIGCONT, for instance.

        Raises:
            ProcessLookupError: it has ended.
        """
        pid = _child(self._processes.pid(part))
        if pid is None:
            raise ProcessLookupError(part)
        return pid

    def restart(self, part: Part) -> None:
        """Kills a part with SIGKILL, starts it again and returns when it does its work; containers run on meanwhile.

        Raises:
            ClusterError: it did not become ready.
        """
        os.kill(self.pid(part), signal.SIGKILL)
        ready = self._readiness(part)
        self._processes.restart(part)
        self._await(part, ready)

    def _launch(self, part: Part) -> Callable[[], bool]:
        """Starts a part and returns what tells that it does its work."""
        ready = self._readiness(part)
        self._start_in(str(self.pid(NAMESPACES)), part, self._binaries / part, self._settings.arguments(part))
        return ready

    def _start_in(self, where: str, name: str, program: Path, arguments: list[str]) -> None:
        launcher = ["-I", "-S", str(namespaces.NAMESPACED), where, str(program)]
        self._processes.start(name, Path(sys.executable), [*launcher, *arguments])

    def _await(self, part: Part, ready: Callable[[], bool]) -> None:
        self._processes.wait_until(part, ready, READY_SECONDS)
        if part == "kubelet":
            # Each start of the kubelet strikes out resources that no device plugin vouches for.
            self._claim_gpus()

    def _readiness(self, part: Part) -> Callable[[], bool]:
        now = datetime.now(UTC).replace(microsecond=0)  # as Kubernetes tells time
        conditions: dict[Part, Callable[[], bool]] = {
            "containerd": self._containerd.runs,
            "kubelet": lambda: self._node_is_ready(now),
            "kube-proxy": _kube_proxy_is_healthy,
            "coredns": _dns_is_reached,
        }
        return conditions[part]

    def _node_is_ready(self, since: datetime) -> bool:
        """Whether the kubelet has said so, itself and not before `since`."""
        with client.ApiClient(self._admin) as api:
            nodes = client.CoreV1Api(api).list_node().items
        return any(
            condition.type == "Ready" and condition.status == "True" and condition.last_heartbeat_time >= since
            for node in nodes
            if not any(taint.key == "node.kubernetes.io/not-ready" for taint in node.spec.taints or [])
            for condition in node.status.conditions or []
        )

    def _claim_gpus(self) -> None:
        resource = configuration.GPU.replace("/", "~1")  # a step of a JSON pointer
        patch = [
            {"op": "add", "path": f"/status/{field}/{resource}", "value": str(self._gpus)}
            for field in ("capacity", "allocatable")
        ]
        with client.ApiClient(self._admin) as api:
            client.CoreV1Api(api).patch_node_status(configuration.NODE_NAME, patch)


def _child(pid: int) -> int | None:
    """The child of a `namespaced.py`, which stands for it."""
    try:
        [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(child)


def _kube_proxy_is_healthy() -> bool:
    """Whether its rules are in force."""
    try:
        with urllib.request.urlopen(KUBE_PROXY_HEALTH, timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def _dns_is_reached() -> bool:
    """Whether CoreDNS listens, which it does once it knows the cluster, and its Service leads to it."""
    try:
        with socket.create_connection((configuration.DNS_SERVICE, configuration.DNS_PORT), timeout=1):
            return True
    except OSError:
        return False
