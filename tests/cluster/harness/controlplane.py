"""The command lines of etcd and the three Kubernetes processes: pure, every flag with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

SERVICES = "10.96.0.0/16"
LOOPBACK = "127.0.0.1"
# Where an API server on loopback says it is. Nothing connects there: the address is of the range reserved for
# documentation, because loopback is refused here and the machine's own address would be different on each.
ADVERTISED = "192.0.2.1"

# At stock flags (20 requests/s, 5 workers) the Job controller starts 8.6 Jobs/s on 2 cores and reports the end of a
# Job up to 90 s late in a burst: tests would measure it and not the operator.
FAST_CONTROLLERS = ("--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-job-syncs=50")

# Who does what, without bodies: enough to compare the verbs used with those granted and to count writes.
AUDIT_POLICY = json.dumps(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
)


@dataclass(frozen=True)
class Identity:
    """Somebody who shows a static token; each component is one of its own, so that the audit log tells them apart."""

    user: str
    groups: tuple[str, ...] = ()

    def csv(self, token: str) -> str:
        """The line of the API server's token file."""
        return f'{token},{self.user},{self.user},"{",".join(self.groups)}"\n'


ADMIN = Identity("admin", ("system:masters",))
# These two have roles that the API server makes at its start.
CONTROLLERS = Identity("system:kube-controller-manager")
SCHEDULER = Identity("system:kube-scheduler")


@dataclass(frozen=True)
class Files:
    """Where the parts of a control plane lie."""

    certificates: Path
    tokens: Path
    etcd: Path
    audit_policy: Path
    audit_log: Path


def etcd(files: Files, client_port: int, peer_port: int, *, durable: bool) -> list[str]:
    """A single member without clients from outside.

    Args:
        files: where it keeps its data.
        client_port: where it listens for clients.
        peer_port: where it would listen for other members.
        durable: have every write on the disk before it is answered.
    """
    clients, peers = f"http://{LOOPBACK}:{client_port}", f"http://{LOOPBACK}:{peer_port}"
    arguments = [
        f"--data-dir={files.etcd}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--quota-backend-bytes=4294967296",  # bursts of thousands of tasks outgrow the 2 GiB of the default
    ]
    # A power cut may cost a test cluster; the disk must not set its speed.
    return arguments if durable else [*arguments, "--unsafe-no-fsync"]


def apiserver(files: Files, address: str, services: str, port: int, etcd_port: int, *, audit: bool) -> list[str]:
    """The API server, with RBAC; inside the cluster its Service leads to it, unless its address is loopback.

    Args:
        files: what it reads and writes.
        address: where it listens.
        services: the network of the Services; the first address is its own Service's.
        port: where it listens.
        etcd_port: where etcd listens for clients.
        audit: write the audit log.
    """
    arguments = [
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        f"--bind-address={address}",
        f"--secure-port={port}",
        f"--service-cluster-ip-range={services}",
        f"--tls-cert-file={files.certificates}/api.crt",
        f"--tls-private-key-file={files.certificates}/api.key",
        f"--kubelet-client-certificate={files.certificates}/kubelet-client.crt",
        f"--kubelet-client-key={files.certificates}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.certificates}/service-accounts.key",
        f"--service-account-signing-key-file={files.certificates}/service-accounts.key",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        # As on OpenShift: who sets an owner that blocks deletion has to have a right to the owner.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
    ]
    if address == LOOPBACK:
        arguments += [f"--advertise-address={ADVERTISED}", "--endpoint-reconciler-type=none"]
    if audit:
        arguments += [
            f"--audit-policy-file={files.audit_policy}",
            f"--audit-log-path={files.audit_log}",
            "--audit-log-maxsize=4000",  # MB: one file, however long the run; the default splits it at 100
        ]
    return arguments


def controller_manager(files: Files, kubeconfig: Path, *, stock: bool) -> list[str]:
    """All controllers: Jobs, garbage collection, TTL, tokens, node lifecycle."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={files.certificates}/service-accounts.key",
        f"--root-ca-file={files.certificates}/ca.crt",
        "--secure-port=0",
        *(() if stock else FAST_CONTROLLERS),
    ]


def scheduler(kubeconfig: Path) -> list[str]:
    """The scheduler at its defaults."""
    return [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
