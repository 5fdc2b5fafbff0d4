"""What the harness asks of containerd itself, by its own client: Kubernetes has no way to load an image."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.harness.errors import ClusterError

# The label that the part of containerd that serves the kubelet gives to an image once it knows it.
KNOWN_TO_KUBELET = "io.cri-containerd.image=managed"
KNOWN_SECONDS = 30
SOCKET = "run/containerd/containerd.sock"


class Containerd:
    """The containerd of a real node.

    Args:
        binaries: where `ctr` lies.
        state: the folder given to `namespaces.furnish`.
    """

    def __init__(self, binaries: Path, state: Path) -> None:
        self._state = state
        # Not by its full path: the kernel takes no more than 107 bytes, and a folder of pytest's is soon longer.
        self._ctr = [str(binaries / "ctr"), f"--address=/proc/self/cwd/{SOCKET}", "--namespace=k8s.io"]

    def runs(self) -> bool:
        """Whether it answers."""
        return self._has_started() and self._call("version").returncode == 0

    def import_images(self, archives: Sequence[Path]) -> None:
        """Loads OCI or Docker archives and returns when pods can use their images.

        Raises:
            ClusterError: an archive is none, or containerd does not run.
        """
        if not self._has_started():
            raise ClusterError("there is no cluster with a real node to import into: start one with `up --node real`")
        for archive in archives:
            done = self._call("images", "import", str(archive.absolute()))
            if done.returncode != 0:
                raise ClusterError(f"importing {archive} failed: {done.stderr.strip()}")
        deadline = time.monotonic() + KNOWN_SECONDS
        while unknown := self._images_unknown_to_kubelet():
            if time.monotonic() > deadline:
                raise ClusterError(f"the kubelet does not see {', '.join(unknown)}")
            time.sleep(0.05)

    def kill(self, container: str) -> None:
        """Kills the first process of a container, and so all of it, with SIGKILL.

        Args:
            container: its id; in a pod's status behind `containerd://`.

        Raises:
            ClusterError: there is no such container, or it does not run.
        """
        done = self._call("tasks", "kill", "--signal=SIGKILL", container.removeprefix("containerd://"))
        if done.returncode != 0:
            raise ClusterError(f"killing {container} failed: {done.stderr.strip()}")

    def _images_unknown_to_kubelet(self) -> list[str]:
        # A title, then a line per image: name, type, digest, size, platforms, labels.
        lines = self._call("images", "list").stdout.splitlines()[1:]
        return [line.split()[0] for line in lines if KNOWN_TO_KUBELET not in line]

    def _has_started(self) -> bool:
        return (self._state / SOCKET).exists()

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._ctr, *arguments], cwd=self._state, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
