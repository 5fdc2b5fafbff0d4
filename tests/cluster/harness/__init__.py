"""A real Kubernetes control plane for tests: built from Go modules, started on loopback, gone without a trace.

>>> with Cluster(directory) as cluster:
...     subprocess.run(["kubectl", "--kubeconfig", cluster.kubeconfig, "get", "nodes"])
"""

from __future__ import annotations

from cluster.harness.build import build
from cluster.harness.cluster import Cluster, Options
from cluster.harness.errors import ClusterError
from cluster.harness.kubeconfig import service_account_kubeconfig

__all__ = ["Cluster", "ClusterError", "Options", "build", "service_account_kubeconfig"]
