"""Which cgroups bound this process, of both versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def cgroups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Folders of a controller (`cpu`, `memory`) that apply to this process, up to the mount point.

    A container sees its own cgroup at the mount point, whatever path `/proc/self/cgroup` names: some of the folders may
    be missing. `root` holds `proc` and `sys`.
    """
    try:
        membership = (root / "proc/self/cgroup").read_text()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # Version 2 has no controllers in the line; version 1 is mounted under all of its names, or under this one.
        for top in [mount / controllers, mount / controller] if controllers else [mount]:
            folder = top / path.lstrip("/")
            yield from (here for here in (folder, *folder.parents) if here.is_relative_to(top))
