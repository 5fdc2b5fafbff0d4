"""Previews: now and then, how a picture in the making looks so far, as a small JPEG."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image

from mediatask_crds.podcontract import PREVIEW_BYTES, PREVIEW_SIDE

if TYPE_CHECKING:
    from torch import Tensor

    from ..models.loaded import Loaded

log = logging.getLogger(__name__)

_SHARE = 0.01
"""Part of the drawing's time that previews may take: where one takes long, they come seldom."""
_QUALITIES = (75, 50, 25)
_NEVER = float("inf")


class Preview:
    """Shows pictures of one size while they are drawn. It neither stops nor changes the drawing.

    Shows none where GPU memory is scarce, and none by a model whose content check sees finished pictures only.
    """

    def __init__(self, loaded: Loaded, size: tuple[int, int], seconds: float, show: Callable[[bytes], bool]) -> None:
        """Previews at least `seconds` apart, none when that is 0; `show` answers False when it takes no more."""
        self._pipeline = loaded.pipeline
        self._size = size
        self._seconds = seconds
        self._show = show
        self._before: Tensor | None = None
        unchecked = getattr(loaded.pipeline, "safety_checker", None) is None
        self._next = 0.0 if seconds and unchecked and loaded.rung == "whole" else _NEVER

    def after_step(self, done: int, latents: Tensor) -> None:
        """Called with the number of steps of this picture that are done, and what they have led to."""
        before, self._before = self._before if done > 1 else None, latents
        if time.monotonic() < self._next:
            return
        try:
            self._look(before, latents)
        except Exception as error:  # also when the GPU has no memory left for it
            log.info("no previews: %s: %s", type(error).__name__, str(error).partition("\n")[0])
            self._next = _NEVER

    def _look(self, before: Tensor | None, latents: Tensor) -> None:
        import torch

        from ..models.latents import foreseen, glimpse

        if latents.is_cuda:
            torch.cuda.synchronize()  # what is measured is the preview alone
        began = time.monotonic()
        with torch.no_grad():
            clear = foreseen(self._pipeline.scheduler, before, latents)
            if clear is None:
                return
            pixels = glimpse(self._pipeline, clear, self._size)
        taken = self._show(_jpeg(pixels.permute(1, 2, 0).cpu().numpy()))
        took = time.monotonic() - began
        self._next = began + max(self._seconds, took / _SHARE) if taken else _NEVER


def _jpeg(pixels: Any) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    for quality in _QUALITIES:
        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        if content.tell() <= PREVIEW_BYTES:
            return content.getvalue()
    raise ValueError("a preview that is too large")
