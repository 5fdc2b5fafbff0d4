"""What Linux tells about processes: who is below whom, whose environment holds what, how much memory they use."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
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
    """Bytes that only the process's end gives back: anonymous and shared memory, not mapped files. 0 when gone."""
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def kill_marked(name: str, value: str) -> int:
    """Kill every process whose environment has this variable; how many there were.

    An environment is inherited, so it tells who belongs together better than process groups do, and unlike a recorded
    number it is never somebody else's. The descriptor pins the process between look and blow.
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
