"""One cluster from start to stop: keys, control plane, nodes."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import urllib3
from kubernetes import client

from cluster.harness import controlplane, kwok
from cluster.harness.build import Report, build
from cluster.harness.certificates import write_certificates
from cluster.harness.controlplane import LOOPBACK, SERVICES
from cluster.harness.errors import ClusterError
from cluster.harness.kubeconfig import write_kubeconfig
from cluster.harness.node import requirements
from cluster.harness.node.realnode import RealNode
from cluster.harness.processes import Processes
from cluster.harness.recipes import CONTROL_PLANE, KWOK, REAL_NODE, Tool
from cluster.harness.rundir import RunDir

READY_SECONDS = 90

# What runs pods: nothing, kwok, which only pretends, or a kubelet of this machine.
NodeKind = Literal["none", "kwok", "real"]
TOOLS: dict[NodeKind, tuple[Tool, ...]] = {
    "none": CONTROL_PLANE,
    "kwok": (*CONTROL_PLANE, KWOK),
    "real": (*CONTROL_PLANE, *REAL_NODE),
}


@dataclass(frozen=True)
class Options:
    """What cluster to start.

    Attributes:
        node: what runs pods.
        nodes: number of nodes (kwok; there is one real node).
        gpus: GPUs of each.
        audit: write every request (who, verb, what; no bodies) to `audit_log`.
        stock_controllers: leave the controller manager at its slow defaults, to measure what they do.
        durable: let etcd write to the disk before it answers, as in production.
    """

    node: NodeKind = "kwok"
    nodes: int = 4
    gpus: int = 8
    audit: bool = False
    stock_controllers: bool = False
    durable: bool = False


class Cluster:
    """A cluster in a folder, run by this process. Use as a context manager, or call `up` and `down`.

    Attributes:
        kubeconfig: the administrator's; there once `up` has returned.
        audit_log: JSON lines (audit.k8s.io/v1 Event), or None when `options.audit` is off.
    """

    def __init__(
        self,
        directory: Path,
        options: Options | None = None,
        *,
        keep_logs: bool = True,
        report: Report = print,
    ) -> None:
        self.options = options or Options()
        self._dir = RunDir(directory)
        self._keep_logs = keep_logs
        self._report = report
        self._processes = Processes(self._dir.logs)
        self._admin = client.Configuration()
        self._node: RealNode | None = None
        self.kubeconfig = self._dir.kubeconfig
        self.audit_log = self._dir.logs / "audit.log" if self.options.audit else None

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever reads that it failed has to be able to read why. (An interruption is no failure.)
        self._keep_logs = self._keep_logs or isinstance(error, Exception)
        self.down()

    @property
    def node(self) -> RealNode:
        """The real node.

        Raises:
            ClusterError: the cluster was started without one.
        """
        if self._node is None:
            raise ClusterError(f"a cluster with --node {self.options.node} has no real node")
        return self._node

    def up(self) -> None:
        """Builds what is missing, starts everything and returns when it is ready to be used.

        Raises:
            ClusterError: it cannot be built, or a part did not become ready.
        """
        if self.options.node == "real":
            requirements.install(self._report)
        binaries = build(TOOLS[self.options.node], report=self._report)
        self._dir.take()
        if self.options.node == "real":
            self._node = RealNode(binaries, self._dir, self._processes)
        self._start_control_plane(binaries)
        if self.options.node == "kwok":
            self._start_kwok(binaries)
        if self._node is not None:
            self._node.start(self._admin, self.options.gpus)
            self._report("node ready")

    def down(self) -> None:
        """Stops everything and removes all but the logs; those, too, unless they are to be kept."""
        self._processes.stop()
        self._dir.release(keep_logs=self._keep_logs)

    def check(self) -> None:
        """Raises ClusterError when a part of the cluster has died."""
        self._processes.check()

    def _start_control_plane(self, binaries: Path) -> None:
        state = self._dir.state
        files = controlplane.Files(
            certificates=state,
            tokens=state / "tokens.csv",
            etcd=state / "etcd",
            audit_policy=state / "audit-policy.json",
            audit_log=self._dir.logs / "audit.log",
        )
        network = self._node.network if self._node is not None else None
        # Pods reach this machine at an address that it has for them alone.
        address, services = (network.host, network.services) if network else (LOOPBACK, SERVICES)
        first_service = next(ipaddress.ip_network(services).hosts())
        write_certificates(state, [address, str(first_service)])
        files.audit_policy.write_text(controlplane.AUDIT_POLICY)
        api_port, etcd_port, peer_port = free_ports(3)
        self._write_credentials(files, f"https://{address}:{api_port}")

        start = self._processes.start
        start("etcd", binaries / "etcd", controlplane.etcd(files, etcd_port, peer_port, durable=self.options.durable))
        start(
            "kube-apiserver",
            binaries / "kube-apiserver",
            controlplane.apiserver(files, address, services, api_port, etcd_port, audit=self.options.audit),
        )
        self._wait("API server", self._api_is_ready)
        start(
            "kube-controller-manager",
            binaries / "kube-controller-manager",
            controlplane.controller_manager(
                files, state / "controllers.kubeconfig", stock=self.options.stock_controllers
            ),
        )
        start("kube-scheduler", binaries / "kube-scheduler", controlplane.scheduler(state / "scheduler.kubeconfig"))
        self._wait("controllers", self._default_service_account_exists)

    def _write_credentials(self, files: controlplane.Files, server: str) -> None:
        authority = files.certificates / "ca.crt"
        files.tokens.touch(mode=0o600)
        with files.tokens.open("w") as tokens:
            for identity, kubeconfig in (
                (controlplane.ADMIN, self.kubeconfig),
                (controlplane.CONTROLLERS, self._dir.state / "controllers.kubeconfig"),
                (controlplane.SCHEDULER, self._dir.state / "scheduler.kubeconfig"),
                (kwok.KWOK, self._dir.state / "kwok.kubeconfig"),
                *(self._node.credentials() if self._node is not None else ()),
            ):
                token = secrets.token_urlsafe(32)
                tokens.write(identity.csv(token))
                write_kubeconfig(kubeconfig, server=server, token=token, ca=authority.read_bytes())
                if identity is controlplane.ADMIN:
                    # Not from the kubeconfig: the client would copy the CA out of it into a temporary file, which
                    # a harness that is killed leaves behind.
                    self._admin.host = server
                    self._admin.api_key = {"BearerToken": f"Bearer {token}"}
                    self._admin.ssl_ca_cert = str(authority)

    def _start_kwok(self, binaries: Path) -> None:
        self._processes.start("kwok", binaries / "kwok", kwok.arguments(self._dir.state / "kwok.kubeconfig"))
        with client.ApiClient(self._admin) as api:
            for number in range(self.options.nodes):
                client.CoreV1Api(api).create_node(kwok.node(number, self.options.gpus))
        self._wait("nodes", self._nodes_are_ready)

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        self._processes.wait_until(what, condition, READY_SECONDS)
        self._report(f"{what} ready")

    def _api_is_ready(self) -> bool:
        with client.ApiClient(self._admin) as api:
            try:
                answer = api.call_api("GET", f"{api.configuration.host}/readyz", _request_timeout=2)
            except urllib3.exceptions.HTTPError:
                return False
        return bool(answer.status == HTTPStatus.OK)

    def _default_service_account_exists(self) -> bool:
        """The controllers work when one of them has done its first piece of work; pods cannot be made before it."""
        with client.ApiClient(self._admin) as api:
            return bool(client.CoreV1Api(api).list_namespaced_service_account("default").items)

    def _nodes_are_ready(self) -> bool:
        with client.ApiClient(self._admin) as api:
            nodes = client.CoreV1Api(api).list_node().items
        return all(
            any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions or [])
            and not any(taint.key == "node.kubernetes.io/not-ready" for taint in node.spec.taints or [])
            for node in nodes
        )


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that nobody listens on; held all at once, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
