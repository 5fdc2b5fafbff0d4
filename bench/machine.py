"""What the figures were measured on, and what each process cost: read from /proc."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def describe() -> dict[str, Any]:
    """The machine in plain words."""
    cpu = re.search(r"model name\s*: (.+)", (_PROC / "cpuinfo").read_text())
    total = re.search(r"MemTotal:\s+(\d+) kB", (_PROC / "meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(total[1]) / 2**20) if total else None,
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    # The name in parentheses may hold spaces; what follows it is regular.
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds() -> float:
    """CPU time that the whole machine has spent since its start, on all cores."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, (_PROC / "stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def peak_rss_mib(pid: int) -> float:
    """The most memory that a process has held at any time, in MiB, as the kernel kept book."""
    found = re.search(r"VmHWM:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def children() -> dict[str, int]:
    """Process ids of this process's children, by the name of their program."""
    found = {}
    for pid in (_PROC / "self" / "task" / str(os.getpid()) / "children").read_text().split():
        found[(_PROC / pid / "exe").resolve().name] = int(pid)
    return found
