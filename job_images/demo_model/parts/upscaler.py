"""The up-scaler: doubles a picture's size; used three times it takes 128 pixels to 1024.

It is the decoder half of diffusers' AutoencoderTiny with the small picture as its latent, so that the job
runtime loads it like any other part: ``AutoencoderTiny.from_pretrained(...).decode(picture).sample``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.nn import functional

from demo_model.parts.autoencoder import encode, reconstruction_loss
from demo_model.parts.loop import Plan, fit
from demo_model.parts.pictures import drawn, to_unit

PLAN = Plan(steps=2000, learning_rate=1.5e-3, average_decay=0.995)
_WIDTH = 32
_CROP = 40
_BATCH = 16
_SOFT_COUNT, _SHARP_COUNT = 2000, 500
_LATENT_NOISE = 0.12
"""In shares of the latents' spread: what the denoiser leaves behind must not be magnified."""


def new_upscaler() -> AutoencoderTiny:
    """An untrained up-scaler; the encoder half is never used and therefore minimal."""
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(_WIDTH, _WIDTH),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(4, 1),
        latent_channels=3,
        upsampling_scaling_factor=2,
    )


def _redrawn(autoencoder: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """``pictures`` (uint8) as the model would make them: through slightly wrong latents, -1..1."""
    torch.manual_seed(0)
    parts = []
    with torch.no_grad():
        for part in pictures.split(64):
            latents = encode(autoencoder, part)
            latents = latents + torch.randn_like(latents) * _LATENT_NOISE / autoencoder.config.scaling_factor
            parts.append(autoencoder.decode(latents).sample.clamp(-1, 1))
    return torch.cat(parts)


def _halved(pictures: Tensor) -> Tensor:
    return functional.avg_pool2d(pictures, 2)


def train_upscaler(autoencoder: AutoencoderTiny, pictures: Tensor, folder: Path) -> AutoencoderTiny:
    """Train on two kinds of pairs: the model's own soft pictures (first doubling) and clean ones (the later two)."""
    soft_small = _redrawn(autoencoder, pictures[:_SOFT_COUNT])
    soft_large = drawn(_SOFT_COUNT, folder, 256, 2)
    sharp = drawn(_SHARP_COUNT, folder, 512, 2)
    torch.manual_seed(0)
    upscaler = new_upscaler()

    def crop(pictures: Tensor, index: int, top: int, left: int, size: int) -> Tensor:
        return pictures[index, :, top : top + size, left : left + size]

    def loss() -> Tensor:
        small, large = [], []
        for number in range(_BATCH):
            if number % 2:
                index = int(torch.randint(0, _SOFT_COUNT, ()))
                top, left = (int(torch.randint(0, 128 - _CROP + 1, ())) for _ in range(2))
                small.append(crop(soft_small, index, top, left, _CROP))
                large.append(to_unit(crop(soft_large, index, 2 * top, 2 * left, 2 * _CROP)))
            else:
                index = int(torch.randint(0, _SHARP_COUNT, ()))
                top, left = (2 * int(torch.randint(0, 256 - _CROP + 1, ())) for _ in range(2))
                wanted = to_unit(crop(sharp, index, top, left, 2 * _CROP))
                given = _halved(wanted)
                if number % 4:  # an earlier doubling's output is a little softer than a drawing
                    given = functional.avg_pool2d(given[None], 3, 1, 1, count_include_pad=False)[0] * 0.5 + given * 0.5
                small.append(given)
                large.append(wanted)
        with torch.autocast("cpu", torch.bfloat16):
            made = upscaler.decode(torch.stack(small)).sample
        return reconstruction_loss(made.float(), torch.stack(large))

    fit("upscaler", upscaler, loss, PLAN, folder)
    return upscaler
