"""Tests of pods that really run: the fixtures of the folder above, on the cluster with a real node."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cluster.harness import Cluster
from cluster.harness.node import requirements
from cluster.harness.node.images import write_image

BUSYBOX = "localhost/busybox:test"
APPLETS = ("sh", "cat", "grep", "httpd", "id", "nslookup", "sleep", "stat", "tail", "touch", "true", "wget")


@pytest.fixture(scope="session")
def kubeconfig(real_cluster: Cluster) -> Path:
    """The administrator's kubeconfig."""
    return real_cluster.kubeconfig


@pytest.fixture(scope="session")
def busybox(real_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a shell and a web server, on the node."""
    requirements.install(print, {"busybox": "busybox-static"})
    program = Path(shutil.which("busybox") or "busybox")
    if b"/ld-linux" in program.read_bytes()[:4096]:
        pytest.fail(f"{program} needs libraries, which the image has not: install busybox-static", pytrace=False)
    archive = write_image(
        tmp_path_factory.mktemp("images") / "busybox.tar",
        BUSYBOX,
        files={"bin/busybox": program},
        links={f"bin/{applet}": "busybox" for applet in APPLETS},
    )
    real_cluster.node.import_images(archive)
    return BUSYBOX
