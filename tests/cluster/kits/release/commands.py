"""helm and kubectl against the cluster under test, and shell commands that use them, as documents print them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from cluster.harness.build import build
from cluster.harness.recipes import TOOLS
from mediatask_local.die_with_parent import die_with_parent

PROGRAMS = (TOOLS["helm"], TOOLS["kubectl"])
ROOT = Path(__file__).parents[4]
SECONDS = 120.0


class Commands:
    """Programs run in the repository's root, where documents have the reader be.

    Args:
        kubeconfig: of whoever runs them.
        folder: what helm and kubectl would otherwise keep in the home.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        binaries = build(PROGRAMS)
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "HELM_CACHE_HOME": str(folder / "helm/cache"),
            "HELM_CONFIG_HOME": str(folder / "helm/config"),
            "HELM_DATA_HOME": str(folder / "helm/data"),
            "KUBECACHEDIR": str(folder / "kubectl"),
        }

    def try_(
        self, *command: str, stdin: str | None = None, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A program's end, whatever it is."""
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=seconds
        )

    def run(self, *command: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
        """What a program prints; its failure fails the test."""
        done = self.try_(*command, stdin=stdin, seconds=seconds)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, script: str, *, seconds: float = SECONDS) -> str:
        """What a script for bash prints; its first failure fails the test."""
        return self.run("bash", "-euo", "pipefail", "-c", script, seconds=seconds)

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """A command that stays, with its output in a file."""
        with log.open("ab") as output:
            return subprocess.Popen(
                die_with_parent(command.split()),
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def helm(self, *arguments: str, seconds: float = SECONDS) -> str:
        return self.run("helm", *arguments, seconds=seconds)

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
        return self.run("kubectl", *arguments, stdin=stdin, seconds=seconds)

    def get(self, *arguments: str) -> Any:
        """`kubectl get`, parsed: an object, or the items of a list."""
        found = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found["items"] if found["kind"] == "List" else found

    def apply(self, *objects: dict[str, Any]) -> None:
        """`kubectl apply`."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(listed))
