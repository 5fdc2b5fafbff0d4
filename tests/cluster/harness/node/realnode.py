"""A node from start to stop: namespaces, containerd, kubelet, kube-proxy, CoreDNS, and GPUs that it only claims."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
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
from cluster.harness.node.network import Network
from cluster.harness.processes import Processes
from cluster.harness.rundir import RunDir

READY_SECONDS = 90
NAMESPACES = "node"  # the process that holds them, beside those of the parts
KUBE_PROXY_HEALTH_PORT = 10256

Part = Literal["containerd", "kubelet", "kube-proxy", "coredns"]


class RealNode:
    """The one node of a cluster, in the harness's processes. Made before the control plane, started after it.

    To make one makes its namespaces, with nothing in them yet, and its network, at whose `host` address the API
    server has to listen. They end with the processes.

    Args:
        binaries: where the programs lie.
        directory: the cluster's folder, taken.
        processes: the cluster's; the node's join them.

    Attributes:
        network: the addresses.

    Raises:
        ClusterError: the kernel refuses.
    """

    def __init__(self, binaries: Path, directory: RunDir, processes: Processes) -> None:
        self._binaries = binaries
        self._processes = processes
        self._node = directory.node
        self._containerd = Containerd(binaries, directory.node)

        self._start_in("new", NAMESPACES, binaries / "pause", [])
        processes.wait_until("namespaces", lambda: _child(processes.pid(NAMESPACES)) is not None, READY_SECONDS)
        first = self.pid(NAMESPACES)
        self.network = Network.claim(first)
        runc = Path(shutil.which("runc") or "runc")
        namespaces.furnish(first, self.network, directory.node, directory.logs, needed=[binaries, runc])
        cgroups.create(directory.cgroup)
        self._settings = configuration.Settings(
            folder=directory.node / "settings",
            binaries=binaries,
            certificate_authority=directory.state / "ca.crt",
            runc=runc,
            cgroup=directory.cgroup,
            network=self.network,
        )
        self._settings.write()

    def credentials(self) -> list[tuple[Identity, Path]]:
        """Who the parts are, and where their kubeconfigs are to be written."""
        return [
            (configuration.KUBELET, self._settings.kubeconfig("kubelet")),
            (configuration.KUBE_PROXY, self._settings.kubeconfig("kube-proxy")),
            (configuration.COREDNS, self._settings.kubeconfig("coredns")),
        ]

    def start(self, admin: client.Configuration, gpus: int) -> None:
        """Starts the parts and returns when pods run.

        Args:
            admin: an administrator's client configuration.
            gpus: how many `nvidia.com/gpu` the scheduler is to see; there is no device behind them.

        Raises:
            ClusterError: a part did not become ready.
        """
        self._admin = admin
        self._wait("containerd", self._launch("containerd"))
        pause = write_image(
            self._node / "pause.tar",
            configuration.PAUSE_IMAGE,
            files={"pause": self._binaries / "pause"},
            entrypoint=["/pause"],
        )
        self.import_images(pause)
        with client.ApiClient(admin) as api:
            for item in configuration.dns_objects(self.network):
                utils.create_from_dict(api, item)
        # All started before the first is waited for: none needs another.
        parts: tuple[Part, ...] = ("kubelet", "kube-proxy", "coredns")
        for part, ready in [(part, self._launch(part)) for part in parts]:
            self._wait(part, ready)
        self._claim_gpus(gpus)

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
        # Kubernetes tells time in whole seconds: what the killed one said last must not pass for news.
        time.sleep(1 - time.time() % 1)
        ready = self._readiness(part)
        self._processes.restart(part)
        self._wait(part, ready)

    def _launch(self, part: Part) -> Callable[[], bool]:
        """Starts a part and returns what tells that it does its work."""
        ready = self._readiness(part)
        self._start_in(str(self.pid(NAMESPACES)), part, self._binaries / part, self._settings.arguments(part))
        return ready

    def _start_in(self, where: str, name: str, program: Path, arguments: list[str]) -> None:
        launcher = ["-I", "-S", str(namespaces.NAMESPACED), where, str(program)]
        self._processes.start(name, Path(sys.executable), [*launcher, *arguments])

    def _wait(self, part: Part, ready: Callable[[], bool]) -> None:
        self._processes.wait_until(part, ready, READY_SECONDS)

    def _readiness(self, part: Part) -> Callable[[], bool]:
        now = datetime.now(UTC).replace(microsecond=0)  # as Kubernetes tells time
        conditions: dict[Part, Callable[[], bool]] = {
            "containerd": self._containerd.runs,
            "kubelet": lambda: self._kubelet_is_ready(now),
            "kube-proxy": self._services_are_reached,
            "coredns": self._dns_is_reached,
        }
        return conditions[part]

    def _kubelet_is_ready(self, since: datetime) -> bool:
        """Whether the kubelet has said so, itself and not before `since`."""
        with client.ApiClient(self._admin) as api:
            nodes = client.CoreV1Api(api).list_node().items
        return any(
            condition.type == "Ready" and condition.status == "True" and condition.last_heartbeat_time >= since
            for node in nodes
            if not any(taint.key == "node.kubernetes.io/not-ready" for taint in node.spec.taints or [])
            for condition in node.status.conditions or []
        )

    def _services_are_reached(self) -> bool:
        """Whether kube-proxy says that its rules are in force."""
        url = f"http://{self.network.node}:{KUBE_PROXY_HEALTH_PORT}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def _dns_is_reached(self) -> bool:
        """Whether CoreDNS listens, which it does once it knows the cluster, and its Service leads to it."""
        try:
            with socket.create_connection((self.network.dns, configuration.DNS_PORT), timeout=1):
                return True
        except OSError:
            return False

    def _claim_gpus(self, gpus: int) -> None:
        resource = configuration.GPU.replace("/", "~1")  # a step of a JSON pointer
        patch = [
            {"op": "add", "path": f"/status/{field}/{resource}", "value": str(gpus)}
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
