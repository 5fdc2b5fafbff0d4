"""What the parts of a real node are told: pure, every setting that is no default with its reason.

The paths are the usual ones (/var/lib/kubelet, /run/containerd, ...): `namespaces` puts folders of the cluster there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.harness.controlplane import Identity
from cluster.harness.node.network import Network

NODE_NAME = "node-1"
PAUSE_IMAGE = "localhost/pause:1"
DNS_PORT = 53
CLUSTER_DOMAIN = "cluster.local"
GPU = "nvidia.com/gpu"

# The Node authorizer and the roles that the API server makes at its start know the first two by these names.
KUBELET = Identity(f"system:node:{NODE_NAME}", ("system:nodes",))
KUBE_PROXY = Identity("system:kube-proxy")
COREDNS = Identity("coredns")


@dataclass(frozen=True)
class Settings:
    """Files that the parts read, in a folder of the cluster's.

    Attributes:
        folder: where `write` puts them.
        binaries: where the CNI plugins lie.
        certificate_authority: PEM; whoever it vouches for may ask the kubelet for logs.
        runc: the program.
        cgroup: the control group under which all pods run.
        network: the addresses.
    """

    folder: Path
    binaries: Path
    certificate_authority: Path
    runc: Path
    cgroup: str
    network: Network

    def write(self) -> None:
        """Writes them all."""
        self.folder.mkdir()
        network = self.folder / "cni"
        network.mkdir()
        (network / "10-mediatask.conflist").write_text(json.dumps(self._pod_network()))
        self.containerd.write_text(self._containerd(network))
        self.kubelet.write_text(json.dumps(self._kubelet()))
        self.kube_proxy.write_text(json.dumps(self._kube_proxy()))
        self.coredns.write_text(self._coredns())

    @property
    def containerd(self) -> Path:
        return self.folder / "containerd.toml"

    @property
    def kubelet(self) -> Path:
        return self.folder / "kubelet.json"

    @property
    def kube_proxy(self) -> Path:
        return self.folder / "kube-proxy.json"

    @property
    def coredns(self) -> Path:
        return self.folder / "Corefile"

    def kubeconfig(self, part: str) -> Path:
        """Where the credentials of a part are to be written."""
        return self.folder / f"{part}.kubeconfig"

    def arguments(self, part: str) -> list[str]:
        """The command line of a part."""
        return {
            "containerd": [f"--config={self.containerd}"],
            "kubelet": [
                f"--config={self.kubelet}",
                f"--kubeconfig={self.kubeconfig('kubelet')}",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={self.network.node}",
                f"--node-labels={GPU}.present=true",
            ],
            "kube-proxy": [f"--config={self.kube_proxy}", f"--hostname-override={NODE_NAME}"],
            "coredns": [f"-conf={self.coredns}"],
        }[part]

    def _pod_network(self) -> dict[str, Any]:
        return {
            "cniVersion": "1.0.0",
            "name": "mediatask",
            "plugins": [
                {
                    # A route to each pod instead of a bridge for all: on a bridge, a Service's answers take the short
                    # way past the rules of kube-proxy, unless the kernel has br_netfilter.
                    "type": "ptp",
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": self.network.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def _containerd(self, network: Path) -> str:
        return f"""\
version = 4
imports = []  # of this machine's settings, none
temp = "/var/lib/containerd/tmp"
# Lets others change containers under way, from a socket that nobody here uses.
disabled_plugins = ["io.containerd.nri.v1.nri"]

[plugins."io.containerd.cri.v1.runtime"]
# In a container or a small virtual machine, root may not lower it (CAP_SYS_RESOURCE), and no pod would start.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{self.binaries}"]
conf_dir = "{network}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{self.runc}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"
"""

    def _kubelet(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.certificate_authority)},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [self.network.dns],
            "clusterDomain": CLUSTER_DOMAIN,
            "resolvConf": "",  # pods ask the cluster alone: this machine's name servers and domains are not theirs
            "cgroupDriver": "cgroupfs",  # there is no systemd to ask
            "cgroupRoot": f"/{self.cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,  # the default of -999 is not everywhere root's to set
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",  # the default, in /usr/libexec, is this machine's
            # Only what protects this machine: a full disk of a developer's must not evict the pods of a test.
            "evictionHard": {"memory.available": "200Mi"},
            "imageGCHighThresholdPercent": 100,  # never: an image that is gone cannot be pulled again
            "maxPods": 200,
        }

    def _kube_proxy(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self.kubeconfig("kube-proxy"))},
            "mode": "iptables",
            "clusterCIDR": self.network.pods,
            "oomScoreAdj": 0,
            # 0 is: leave it. These are the machine's, and no network namespace may set them.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }

    def _coredns(self) -> str:
        return f"""\
.:{DNS_PORT} {{
    bind {self.network.node}
    errors
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {self.kubeconfig("coredns")}
        ttl 5
    }}
    cache 5
}}
"""


def dns_objects(network: Network) -> list[dict[str, Any]]:
    """What makes CoreDNS, a process beside the kubelet, a Service of the cluster; to be created."""
    rules = [
        {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "coredns"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"kind": "User", "name": COREDNS.user}],
    }
    ports = [{"name": f"dns-{kind.lower()}", "port": DNS_PORT, "protocol": kind} for kind in ("UDP", "TCP")]
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": network.dns, "ports": ports},  # no selector: no pod stands behind it
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [network.node], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return [role | {"rules": rules}, binding, service, endpoints]
