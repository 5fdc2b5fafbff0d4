"""What a real node needs of the machine and what no Go module offers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from cluster.harness.build import Report
from cluster.harness.errors import ClusterError

# Program -> the Debian package that has it.
PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}


def unmet() -> str | None:
    """Why no real node can run here, as a sentence that says what to do; None when one can.

    Programs that are missing are no reason where they can be installed: `install` does.
    """
    if os.geteuid() != 0:
        return "a node that runs pods needs root: it makes namespaces, mounts and control groups"
    if (programs := _missing(PACKAGES)) and shutil.which("apt-get") is None:
        return f"a node that runs pods needs {', '.join(programs)}: install them with your package manager"
    return None


def install(report: Report, packages: Mapping[str, str] = PACKAGES) -> None:
    """Installs the packages of the programs that are missing.

    Raises:
        ClusterError: this machine cannot have a real node, or the installation failed.
    """
    if (reason := unmet()) is not None:
        raise ClusterError(reason)
    if not (programs := _missing(packages)):
        return
    wanted = sorted({packages[program] for program in programs})
    report(f"installing {', '.join(wanted)}")
    if not (_apt_get("install", *wanted) or (_apt_get("update") and _apt_get("install", *wanted))):
        raise ClusterError(f"apt-get could not install {', '.join(wanted)}: try it by hand")


def _missing(packages: Mapping[str, str]) -> list[str]:
    return [program for program in packages if shutil.which(program) is None]


def _apt_get(verb: str, *packages: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", "--yes", "--no-install-recommends", verb, *packages]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
