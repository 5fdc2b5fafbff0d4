"""Previews: now and then the latents of a picture in the making, made small, through the model's own decoder."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image

from mediatask_crds.podcontract import PREVIEW_BYTES

if TYPE_CHECKING:
    from ..models.loaded import Loaded

log = logging.getLogger(__name__)

LATENT_SIDE = 32
"""Longer side of the latents that are decoded: a picture of about 256 pixels, a fraction of a step's work."""
SIDE = 256
_QUALITIES = (75, 50, 25)


class Previews:
    """Shows what the latents look like, at most every so many seconds. It never stops or changes the drawing."""

    def __init__(self, loaded: Loaded, seconds: float, show: Callable[[bytes], None]) -> None:
        self._loaded = loaded
        self._seconds = seconds
        self._show = show
        self._next = time.monotonic()

    def after_step(self, latents: Any) -> None:
        """Called with the latents after each step."""
        # Latents in rows of tokens are not laid out as a picture, and parts that are offloaded stay where they are.
        if time.monotonic() < self._next or self._loaded.rung != "whole" or getattr(latents, "ndim", 0) != 4:
            return
        try:
            self._show(_jpeg(_picture(self._loaded.pipeline.vae, latents)))
        except Exception as error:  # also when the GPU has no memory left for it
            log.info("no previews: %s", error)
            self._next = float("inf")
            return
        self._next = time.monotonic() + self._seconds


def _picture(vae: Any, latents: Any) -> Image.Image:
    import torch

    with torch.no_grad():
        height, width = latents.shape[-2:]
        scale = min(LATENT_SIDE / max(height, width), 1.0)
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        small = torch.nn.functional.interpolate(latents[:1].float(), size=size, mode="area")
        small = small / (getattr(vae.config, "scaling_factor", None) or 1.0)
        small = small + (getattr(vae.config, "shift_factor", None) or 0.0)
        decoded = vae.decode(small.to(vae.dtype), return_dict=False)[0][0]
        pixels = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels, "RGB")


def _jpeg(image: Image.Image) -> bytes:
    image.thumbnail((SIDE, SIDE))
    for quality in _QUALITIES:
        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        if content.tell() <= PREVIEW_BYTES:
            return content.getvalue()
    raise ValueError("a preview that is too large")
