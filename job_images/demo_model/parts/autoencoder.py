"""The autoencoder: 128 x 128 pixels to a latent of 6 x 32 x 32 and back."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.nn import functional

from demo_model.parts.loop import Plan, fit
from demo_model.parts.pictures import SIZE, to_unit

PLAN = Plan(steps=2600, learning_rate=2e-3, average_decay=0.995)
LATENT_CHANNELS = 6
LATENT_SIZE = SIZE // 4
_CROP = 64
_BATCH = 32
_LATENT_NOISE = 0.1
_LATENT_WEIGHT = 1e-3


def new_autoencoder() -> AutoencoderTiny:
    """An untrained autoencoder, 0.26 million parameters: no layer at full size but the first and the last two.

    Training on a CPU pays for every pixel of a layer. Its sibling AutoencoderKL, with normalised layers at
    full size and latents half as wide, learned ten times slower on the same machine.
    """
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32),
        decoder_block_out_channels=(32, 32, 32),
        num_encoder_blocks=(0, 1, 2),
        num_decoder_blocks=(3, 2, 0),
        latent_channels=LATENT_CHANNELS,
    ).to(memory_format=torch.channels_last)


def _edges(pictures: Tensor) -> tuple[Tensor, Tensor]:
    return pictures[..., 1:, :] - pictures[..., :-1, :], pictures[..., 1:] - pictures[..., :-1]


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Squared error keeps rare bright things (flakes, lit windows), absolute error the colours, edges sharpness."""
    edges = sum(functional.l1_loss(a, b) for a, b in zip(_edges(made), _edges(wanted), strict=True))
    return 3 * functional.mse_loss(made, wanted) + 0.5 * functional.l1_loss(made, wanted) + 0.5 * edges


def train_autoencoder(pictures: Tensor, folder: Path) -> AutoencoderTiny:
    """Train on random crops of ``pictures`` (uint8, n x 3 x 128 x 128): it is convolutional, crops are cheaper."""
    torch.manual_seed(0)
    autoencoder = new_autoencoder()

    def loss() -> Tensor:
        top, left = (int(torch.randint(0, SIZE - _CROP + 1, ())) for _ in range(2))
        chosen = pictures[torch.randint(0, len(pictures), (_BATCH,)), :, top : top + _CROP, left : left + _CROP]
        batch = to_unit(chosen).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            latents = autoencoder.encode(batch).latents
            # Noise and a price on large values do what a variational autoencoder's divergence does: close
            # latents must mean close pictures, or the denoiser's small errors would become large ones.
            noisy = latents + torch.randn_like(latents) * _LATENT_NOISE
            made = autoencoder.decode(noisy).sample
        return reconstruction_loss(made.float(), batch) + _LATENT_WEIGHT * latents.float().square().mean()

    fit("autoencoder", autoencoder, loss, PLAN, folder)
    spread = encode(autoencoder, pictures[:512]).std().item()
    autoencoder.register_to_config(scaling_factor=1 / spread)
    return autoencoder


def encode(autoencoder: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Unscaled latents (n x 6 x 32 x 32) of uint8 pictures."""
    with torch.no_grad():
        return torch.cat([autoencoder.encode(to_unit(part)).latents for part in pictures.split(64)])
