"""A small model's pictures at the size that was asked for: doubled by the up-scaler that comes with the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

_STRETCH = 1.25
"""What plain scaling may add in the end: another doubling costs four times as much and most would be thrown away."""
_STRIP = 64
"""Rows that are doubled at once: a whole picture of 1024 x 1024 pixels would need half a gigabyte, twice as many rows
40 MB more for the same time."""
_REACH = 16
"""Rows around a strip that its pixels depend on, so that strips meet without a seam."""


def doublings(size: tuple[int, int], width: int, height: int) -> int:
    """How often a picture of `size` is to be doubled to cover `width` x `height`, nearly at least."""
    missing, count = max(width / size[0], height / size[1]), 0
    while missing > _STRETCH:
        missing, count = missing / 2, count + 1
    return count


def enlarged(image: Image.Image, upscaler: Any, width: int, height: int, check_stop: Callable[[], None]) -> Image.Image:
    """The picture, doubled until it covers `width` x `height`; the exact size is left to the caller."""
    import torch
    from diffusers.image_processor import VaeImageProcessor

    processor = VaeImageProcessor()
    pixels = processor.preprocess(image).to(upscaler.device, upscaler.dtype)
    with torch.no_grad():
        for _ in range(doublings(image.size, width, height)):
            pixels = _doubled(pixels, upscaler, check_stop)
    large: Image.Image = processor.postprocess(pixels.float())[0]
    return large


def _doubled(pixels: Tensor, upscaler: Any, check_stop: Callable[[], None]) -> Tensor:
    """Pixels 1 x 3 x h x w in -1..1 at twice the size."""
    import torch

    height, strips = pixels.shape[2], []
    for top in range(0, height, _STRIP):
        check_stop()
        bottom, first = min(top + _STRIP, height), max(top - _REACH, 0)
        strip = upscaler.decode(pixels[:, :, first : bottom + _REACH]).sample
        strips.append(strip[:, :, 2 * (top - first) : 2 * (bottom - first)].clamp(-1, 1))
    return torch.cat(strips, 2)
