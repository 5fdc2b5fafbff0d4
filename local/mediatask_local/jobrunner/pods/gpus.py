"""GPU slots of the node, and the real devices behind them where there are any."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

VIRTUAL_SLOTS = 2
"""Offered on a machine without NVIDIA devices: tasks that ask for a GPU take one and run on the CPU."""


def real_gpus() -> int:
    """NVIDIA devices of this machine."""
    return sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in Path("/dev").glob("nvidia*"))


def slot_count(wanted: int | None) -> int:
    """Slots to offer: as wanted, else one for each device, else some virtual ones."""
    return wanted if wanted is not None else real_gpus() or VIRTUAL_SLOTS


class GpuSlots:
    """Hands out slots. A process that is still on its way out keeps its slots, even when its pod is gone already."""

    def __init__(self, count: int, devices: int) -> None:
        self._free = sorted(range(count))
        self._devices = devices
        self._changed = asyncio.Condition()

    async def take(self, count: int) -> tuple[int, ...]:
        """That many slots; waits until they are free."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._free) >= count)
            taken, self._free = tuple(self._free[:count]), self._free[count:]
            return taken

    async def give_back(self, slots: tuple[int, ...]) -> None:
        async with self._changed:
            self._free = sorted([*self._free, *slots])
            self._changed.notify_all()

    def environment(self, slots: tuple[int, ...]) -> dict[str, str]:
        """What shows a process its GPUs and hides the others. More slots than devices share them in turn."""
        devices = sorted({slot % self._devices for slot in slots}) if self._devices else []
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, devices))}
