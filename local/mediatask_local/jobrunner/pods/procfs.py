"""Processes in /proc: descendants, memory, and killing by an environment variable."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """PIDs of all descendants of a process."""
    found: list[int] = []
    todo = [pid]
    while todo:
        current = todo.pop()
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{current}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text().split()]
        found.append(current)
    return found[1:]


def unreclaimable_memory(pid: int) -> int:
    """Bytes that are freed only when the process exits: anonymous and shared memory, not mapped files. 0 when gone."""
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def kill_marked(name: str, value: str) -> int:
    """Kill every process that has this variable in its environment. Returns how many there were.

    The environment is inherited, so it identifies a pod's processes better than process groups do, and unlike a
    recorded PID it never belongs to an unrelated process. The pidfd prevents PID reuse between check and kill.
    """
    marker = f"{name}={value}".encode()
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(int(entry.name))
            try:
                if marker in (entry / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(descriptor)
    return killed
