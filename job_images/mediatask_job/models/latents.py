"""What becomes of a picture that is being drawn: its latents after a step, small, through the model's own decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 32
"""Latents of the longer side that are decoded: a picture of about 256 pixels, for a small part of a step's work."""
_STRAIGHT = ("EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler")


def foreseen(scheduler: Any, before: Tensor | None, after: Tensor) -> Tensor | None:
    """The latents without the noise that later steps take away, as far as the last step tells.

    Flow matching and Euler's method go straight on from one step to the next: the line through two of them, drawn to
    its end. Other schedulers' latents are what they are, at first mostly noise. None where it takes another step.
    """
    if type(scheduler).__name__ not in _STRAIGHT and not scheduler.config.get("use_flow_sigmas"):
        return after
    if before is None:
        return None
    was, now = (float(scheduler.sigmas[scheduler.step_index - back]) for back in (1, 0))
    return after if was == now else after + (before - after) * (now / (now - was))


def glimpse(pipeline: Any, latents: Tensor, size: tuple[int, int]) -> Tensor:
    """A small picture of the first latents of a batch, of a clip's middle: 3 x height x width bytes.

    Args:
        size: width and height in pixels of what is drawn.
    """
    vae = pipeline.vae
    latents = latents[:1].float()
    if latents.ndim == 3:
        latents = _laid_out(pipeline, latents, size)
    clip = latents.ndim == 5
    picture = latents[:, :, latents.shape[2] // 2] if clip else latents
    picture = _small(_scaled(vae, picture)).to(vae.device, vae.dtype)
    decoded = vae.decode(picture.unsqueeze(2) if clip else picture, return_dict=False)[0][0]
    return ((decoded[:, 0] if clip else decoded).float() / 2 + 0.5).clamp(0, 1).mul(255).round().byte()


def _laid_out(pipeline: Any, tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Latents in rows of tokens, 2 x 2 to a token, as a picture."""
    width, height = size
    if not hasattr(pipeline.vae, "bn"):
        laid_out: Tensor = pipeline._unpack_latents(tokens, height, width, pipeline.vae_scale_factor)
        return laid_out
    rows = height // (pipeline.vae_scale_factor * 2)
    return tokens.reshape(1, rows, -1, tokens.shape[-1]).permute(0, 3, 1, 2)


def _scaled(vae: Any, picture: Tensor) -> Tensor:
    """Latents as the decoder takes them."""
    if (bn := getattr(vae, "bn", None)) is not None:  # Flux 2, whose latents are still 2 x 2 to one
        std = (bn.running_var + vae.config.batch_norm_eps).sqrt()
        return torch.pixel_shuffle(picture * _per_channel(picture, std) + _per_channel(picture, bn.running_mean), 2)
    std, mean = (getattr(vae.config, name, None) for name in ("latents_std", "latents_mean"))
    picture = picture / (getattr(vae.config, "scaling_factor", None) or 1.0)
    if std is not None and mean is not None:
        return picture * _per_channel(picture, std) + _per_channel(picture, mean)
    return picture + (getattr(vae.config, "shift_factor", None) or 0.0)


def _per_channel(like: Tensor, values: Any) -> Tensor:
    return torch.as_tensor(values).to(like).view(1, -1, 1, 1)


def _small(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    scale = min(SIDE / max(height, width), 1.0)
    return interpolate(picture, size=(max(round(height * scale), 1), max(round(width * scale), 1)), mode="area")
