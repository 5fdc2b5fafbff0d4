"""How many CPUs this process may use: the least of its affinity and its cgroup's quota.

Libraries count the machine's cores. A pod with two CPUs of a node of 64 would start 64 threads, which use up the
quota in the first milliseconds of every period and stand still for the rest of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

from .cgroups import cgroups


def usable_cpus(root: Path = Path("/")) -> int:
    """Threads that are worth starting, at least 1. `root` holds `proc` and `sys`."""
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota(root)
    return allowed if quota is None else max(min(allowed, math.ceil(quota)), 1)


def limit_threads(env: MutableMapping[str, str], cpus: int) -> None:
    """Set what OpenMP reads when torch is imported; what the user has set stays.

    Threads that wait for work in a loop (the default) take the CPU from whatever else runs on it, their own
    colleagues included, and use up the quota.
    """
    env.setdefault("OMP_NUM_THREADS", str(cpus))
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    env.setdefault("GOMP_SPINCOUNT", "0")


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The lowest quota, in CPUs, of the process's cgroup and those above it; None where there is none."""
    return min((quota for folder in cgroups("cpu", root) if (quota := _quota_of(folder))), default=None)


def parse_v2(cpu_max: str) -> float | None:
    """CPUs of a `cpu.max`: `200000 100000` is 2.0, `max 100000` is None."""
    quota, _, period = cpu_max.strip().partition(" ")
    return _ratio(quota, period or "100000")


def parse_v1(quota: str, period: str) -> float | None:
    """CPUs of `cpu.cfs_quota_us` (-1: none) and `cpu.cfs_period_us`."""
    return _ratio(quota.strip(), period.strip())


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdigit() and period.isdigit() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)


def _quota_of(folder: Path) -> float | None:
    try:
        return parse_v2((folder / "cpu.max").read_text())
    except OSError:
        pass
    try:
        return parse_v1((folder / "cpu.cfs_quota_us").read_text(), (folder / "cpu.cfs_period_us").read_text())
    except OSError:
        return None
