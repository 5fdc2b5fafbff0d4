"""The autoencoder: 128 x 128 pixels to a latent of 8 x 16 x 16 and back."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from demo_model.loop import Plan, fit
from demo_model.pictures import SIZE, to_unit

PLAN = Plan(steps=2000, learning_rate=2e-3, average_decay=0.995)
LATENT_CHANNELS = 8
_CROP = 64
_BATCH = 24
_KL_WEIGHT = 3e-6


def new_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder: 8 times smaller latents, 1.7 million parameters."""
    widths = [16, 32, 64, 96]
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(widths),
        up_block_types=["UpDecoderBlock2D"] * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


class _Round(nn.Module):
    """There and back again, with what the loss needs."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.autoencoder.encode(pictures).latent_dist
        return self.autoencoder.decode(posterior.sample()).sample.float(), posterior.kl().mean()


def _edges(pictures: Tensor) -> tuple[Tensor, Tensor]:
    return pictures[..., 1:, :] - pictures[..., :-1, :], pictures[..., 1:] - pictures[..., :-1]


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Colours (L1, a little L2) and edges: without the latter everything small turns to a blur."""
    edges = sum(functional.l1_loss(a, b) for a, b in zip(_edges(made), _edges(wanted), strict=True))
    return functional.l1_loss(made, wanted) + 0.5 * functional.mse_loss(made, wanted) + edges


def train_autoencoder(pictures: Tensor, folder: Path) -> AutoencoderKL:
    """Train on random crops of ``pictures`` (uint8, n x 3 x 128 x 128): it is convolutional, crops are cheaper."""
    torch.manual_seed(0)
    autoencoder = new_autoencoder()
    there_and_back = _Round(autoencoder)

    def loss() -> Tensor:
        top, left = (int(torch.randint(0, SIZE - _CROP + 1, ())) for _ in range(2))
        chosen = pictures[torch.randint(0, len(pictures), (_BATCH,)), :, top : top + _CROP, left : left + _CROP]
        batch = to_unit(chosen)
        with torch.autocast("cpu", torch.bfloat16):
            made, divergence = there_and_back(batch)
        return reconstruction_loss(made, batch) + _KL_WEIGHT * divergence

    fit("autoencoder", autoencoder, loss, PLAN, folder)
    latents = encode(autoencoder, pictures[:512])
    autoencoder.register_to_config(scaling_factor=1 / latents.std().item())
    return autoencoder


@torch.no_grad()
def encode(autoencoder: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Unscaled latents (n x 8 x 16 x 16) of uint8 pictures."""
    parts = [autoencoder.encode(to_unit(part)).latent_dist.mean for part in pictures.split(64)]
    return torch.cat(parts)
