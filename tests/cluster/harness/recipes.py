"""Which binaries a cluster consists of, where each comes from, and what pins it.

A binary comes from one of two places. `go install package@version` builds most programs. Kubernetes cannot be built
that way, because its own go.mod replaces its staging modules and `replace` does not reach those who install it; so a
small module of ours (`tools/<folder>/go.mod` and `go.sum`, nothing else) repeats the replacements and pins every
dependency by hash. etcd, containerd and the CNI plugins have such a module, too, for the sake of the hashes. Programs
of our own are the pause container's, `tools/pause`, and the few lines that make a kubectl of the library it is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

TOOLS_DIR = Path(__file__).parent / "tools"
# Symbol tables and debug information would triple the size, and nobody runs a debugger on the control plane here.
STRIP = "-s -w"


@dataclass(frozen=True)
class Tool:
    """A binary and its recipe.

    Attributes:
        name: file name of the binary.
        package: import path of the Go command; ends in `@version` when no module folder pins it.
        module: folder of the Go module whose files pin it.
        ldflags: flags for the linker, the stamped version among them.
        seconds: how long the first build took on 2 cores, for the progress lines.
    """

    name: str
    package: str
    module: Path | None = None
    ldflags: str = STRIP
    seconds: int = 0

    def fingerprint(self) -> str:
        """A digest of everything that decides what the binary is; a changed one means: build again."""
        digest = hashlib.sha256()
        parts = [self.name.encode(), self.package.encode(), self.ldflags.encode()]
        if self.module is not None:
            parts += [file.read_bytes() for file in sorted(self.module.iterdir())]
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()


def _kubernetes(command: str, seconds: int) -> Tool:
    module = TOOLS_DIR / "kubernetes"
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", (module / "go.mod").read_text())
    assert found is not None, "tools/kubernetes/go.mod does not require k8s.io/kubernetes"
    version, major, minor = found.groups()
    # Without these the API server calls itself v0.0.0, and clients that look at the version stumble.
    stamp = "k8s.io/component-base/version"
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    ldflags = " ".join([STRIP, *(f"-X {stamp}.{key}={value}" for key, value in values.items())])
    return Tool(command, f"k8s.io/kubernetes/cmd/{command}", module, ldflags, seconds)


CONTROL_PLANE = (
    Tool("etcd", "go.etcd.io/etcd/server/v3", TOOLS_DIR / "etcd", seconds=20),
    _kubernetes("kube-apiserver", seconds=150),
    _kubernetes("kube-controller-manager", seconds=40),
    _kubernetes("kube-scheduler", seconds=5),
)
KWOK = Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok@v0.8.0", seconds=50)
CONTAINERD = "github.com/containerd/containerd/v2/cmd"
CNI_PLUGINS = "github.com/containernetworking/plugins/plugins"
# containerd finds its shim on PATH and the plugins by name in a folder: all of them keep the names they are known by.
REAL_NODE = (
    _kubernetes("kubelet", seconds=12),
    _kubernetes("kube-proxy", seconds=6),
    Tool("containerd", f"{CONTAINERD}/containerd", TOOLS_DIR / "containerd", seconds=35),
    Tool("containerd-shim-runc-v2", f"{CONTAINERD}/containerd-shim-runc-v2", TOOLS_DIR / "containerd", seconds=3),
    Tool("ctr", f"{CONTAINERD}/ctr", TOOLS_DIR / "containerd", seconds=5),
    Tool("ptp", f"{CNI_PLUGINS}/main/ptp", TOOLS_DIR / "cni", seconds=4),
    Tool("loopback", f"{CNI_PLUGINS}/main/loopback", TOOLS_DIR / "cni"),
    Tool("host-local", f"{CNI_PLUGINS}/ipam/host-local", TOOLS_DIR / "cni"),
    Tool("portmap", f"{CNI_PLUGINS}/meta/portmap", TOOLS_DIR / "cni"),
    Tool("coredns", "github.com/coredns/coredns@v1.15.0", seconds=80),
    Tool("pause", "mediatask.test/pause", TOOLS_DIR / "pause"),
)
# No part of a cluster: built when asked for by name.
EXTRAS = (
    Tool("helm", "helm.sh/helm/v4/cmd/helm@v4.3.1", seconds=80),
    Tool("kubectl", "mediatask.test/kubectl", TOOLS_DIR / "kubectl", seconds=25),
    Tool("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0", seconds=15),
)

TOOLS = {tool.name: tool for tool in (*CONTROL_PLANE, KWOK, *REAL_NODE, *EXTRAS)}
CLUSTER = (*CONTROL_PLANE, KWOK)
