"""What this process uses: memory of the GPUs that it works on, or else its own."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from mediatask_crds.podcontract import ResourceUsage

from .cgroups import cgroups

log = logging.getLogger(__name__)

_NO_LIMIT = 1 << 50
"""Version 1 of cgroups writes a number of pages beyond all memory where there is no limit."""


def measure(root: Path = Path("/")) -> ResourceUsage | None:
    """The present usage; None where it cannot be read. `root` holds `proc` and `sys`.

    Imports nothing and touches no GPU that the job has not touched.
    """
    try:
        return _of_gpus(sys.modules.get("torch.cuda")) or _of_process(root)
    except Exception as error:  # of a half imported torch, a broken GPU, its driver: no report is to fail for a figure
        log.debug("usage not measured: %s", error)
        return None


def _of_gpus(cuda: Any) -> ResourceUsage | None:
    # A question about a GPU that the process has not used would take hundreds of megabytes of it.
    if cuda is None or not cuda.is_initialized():
        return None
    devices = [device for device in range(cuda.device_count()) if cuda.memory_reserved(device)]
    if not devices:
        return None
    memory = [cuda.mem_get_info(device) for device in devices]
    return ResourceUsage(
        memory_kind="gpu",
        memory_used=sum(total - free for free, total in memory),
        memory_total=sum(total for _, total in memory),
        gpu_utilization=_utilization(cuda, devices),
    )


def _utilization(cuda: Any, devices: list[int]) -> float | None:
    """Their mean; None without NVML (the package nvidia-ml-py), and for parts of a GPU (MIG), which have none."""
    try:
        return float(sum(cuda.utilization(device) for device in devices)) / len(devices) / 100
    except Exception as error:
        log.debug("GPU utilization not measured: %s", error)
        return None


def _of_process(root: Path) -> ResourceUsage:
    pages = int((root / "proc/self/statm").read_text().split()[1])
    used = pages * os.sysconf("SC_PAGE_SIZE")
    return ResourceUsage(memory_kind="process", memory_used=used, memory_total=_memory_limit(root))


def _memory_limit(root: Path) -> int | None:
    """The lowest limit of the process's cgroup and those above it, in bytes; None where there is none."""
    return min((limit for folder in cgroups("memory", root) if (limit := _limit_of(folder))), default=None)


def _limit_of(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None
    return None
