"""Runs the programs that make images, and says so when one of them is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence

from cluster.harness.errors import ClusterError
from mediatask_local.die_with_parent import die_with_parent

Report = Callable[[str], None]

HEARTBEAT_SECONDS = 15
PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "newuidmap": "uidmap"}
NEEDS_ROOT = (
    "images are built as root here, for their files belong to many users: try `sudo make images`, or build the "
    "Dockerfiles with Docker"
)


def why_not() -> str | None:
    """Why images cannot be built on this machine; None when they can."""
    if os.geteuid() != 0:
        return NEEDS_ROOT
    lacking = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if lacking and shutil.which("apt-get") is None:
        return f"not on PATH: {', '.join(lacking)}; install them, or build the Dockerfiles with Docker"
    return None


def install_programs(report: Report) -> None:
    """Installs what is missing.

    Raises:
        ClusterError: that is not possible.
    """
    if reason := why_not():
        raise ClusterError(reason)
    lacking = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if lacking:
        report(f"installing Debian's {', '.join(lacking)}")
        run(["apt-get", "update"], report)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *lacking], report)


def run(command: Sequence[str], report: Report, *, environment: dict[str, str] | None = None) -> str:
    """Runs a command to its end with a sign of life now and then, and returns its standard output.

    Raises:
        ClusterError: it failed; the message ends with its last lines.
    """
    name = command[0]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            # A build that outlived its parent would work on in a storage that another one holds by then.
            die_with_parent(["nice", *command]),
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"} | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            while True:
                try:
                    process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    report(f"  {name}: {time.monotonic() - started:.0f} s")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        said = output.read().decode(errors="replace")
        if process.returncode != 0:
            tail = "\n".join((said + errors.read().decode(errors="replace")).splitlines()[-20:])
            raise ClusterError(f"{name} failed:\n{tail}")
        return said
