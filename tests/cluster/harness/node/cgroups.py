"""The control group under which the kubelet puts all pods: the one trace of a node that its namespaces do not hold."""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
GONE_SECONDS = 10


def hierarchies() -> list[Path]:
    """The root of each hierarchy of control groups: the one of version 2, or version 1's one per controller."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [folder for folder in ROOT.iterdir() if (folder / "cgroup.procs").exists()]


def create(name: str) -> None:
    """Makes an empty group of this name in every hierarchy."""
    for hierarchy in hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def remove(name: str) -> None:
    """Removes the group with all in it, which has to have ended or to be about to.

    Raises:
        OSError: (EBUSY) a process in it lives on.
    """
    for hierarchy in hierarchies():
        _remove_tree(hierarchy / name)


def _remove_tree(group: Path) -> None:
    if not group.exists():
        return
    for child in group.iterdir():
        if child.is_dir():
            _remove_tree(child)
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        try:
            with contextlib.suppress(FileNotFoundError):
                group.rmdir()
            return
        except OSError as error:
            # A process that was killed stays in its group until the kernel is done with it.
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
