"""GPU slots of the node, and the real devices behind them, if any."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

VIRTUAL_SLOTS = 2
"""Offered on a machine without NVIDIA devices: tasks that ask for a GPU take one and run on the CPU."""


def real_gpus() -> int:
    """Number of NVIDIA devices of this machine."""
    return sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in Path("/dev").glob("nvidia*"))


def slot_count(wanted: int | None) -> int:
    """Slots to offer: `wanted`, else one per device, else VIRTUAL_SLOTS."""
    return wanted if wanted is not None else real_gpus() or VIRTUAL_SLOTS


class GpuSlots:
    """Hands out slots. A process that is still terminating keeps its slots, even when its pod is already gone."""

    def __init__(self, count: int, devices: int) -> None:
        self._free = sorted(range(count))
        self._devices = devices
        self._changed = asyncio.Condition()

    async def take(self, count: int) -> tuple[int, ...]:
        """Take that many slots; waits until they are free."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._free) >= count)
            taken, self._free = tuple(self._free[:count]), self._free[count:]
            return taken

    async def give_back(self, slots: tuple[int, ...]) -> None:
        async with self._changed:
            self._free = sorted([*self._free, *slots])
            self._changed.notify_all()

    def environment(self, slots: tuple[int, ...]) -> dict[str, str]:
        """Variables that show a process only its GPUs. With more slots than devices, slots share devices in turn."""
        devices = sorted({slot % self._devices for slot in slots}) if self._devices else []
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, devices))}
