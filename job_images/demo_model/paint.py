"""Pictures from prompts, the way a job makes them: the pipeline at its native size, then the up-scaler."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DiffusionPipeline
from PIL import Image
from torch import Tensor

STEPS = 24
GUIDANCE = 3.0


def load(folder: Path) -> DiffusionPipeline:
    """The trained pipeline, on the CPU."""
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint(pipeline: DiffusionPipeline, prompts: list[str], seeds: list[int]) -> Tensor:
    """One picture per prompt and seed, n x 3 x 128 x 128 in -1..1."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    made = pipeline(
        prompts, generator=generators, num_inference_steps=STEPS, guidance_scale=GUIDANCE, output_type="pt"
    ).images
    pictures: Tensor = made * 2 - 1
    return pictures


def enlarge(upscaler: AutoencoderTiny, pictures: Tensor, doublings: int) -> Tensor:
    """``pictures`` (n x 3 x h x w, -1..1) at 2**doublings times their size."""
    with torch.no_grad():
        for _ in range(doublings):
            pictures = upscaler.decode(pictures).sample.clamp(-1, 1)
    return pictures


def to_image(picture: Tensor) -> Image.Image:
    """A picture 3 x h x w in -1..1 as an RGB image."""
    pixels = ((picture.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
