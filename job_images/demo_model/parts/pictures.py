"""The drawn training pictures, kept as one array on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from demo_model.world.render import render
from demo_model.world.scene import training_scene

SIZE = 128
"""Native size of the model, in pixels."""


def drawn(count: int, folder: Path, size: int = SIZE, oversampling: int = 4) -> Tensor:
    """The first ``count`` training scenes: uint8, (count, 3, size, size); drawn once, then read from ``folder``."""
    path = folder / f"pictures-{size}-{count}.npy"
    if not path.exists():
        part = path.with_suffix(".part")
        pixels = open_memmap(part, mode="w+", dtype=np.uint8, shape=(count, 3, size, size))
        for index in tqdm(range(count), desc=f"drawing at {size} px", mininterval=5):
            picture = np.asarray(render(training_scene(index), size, oversampling))
            pixels[index] = picture.transpose(2, 0, 1)
        pixels.flush()
        part.replace(path)
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 0..255 to float -1..1, as diffusers' autoencoders take it."""
    return pixels.float() / 127.5 - 1
