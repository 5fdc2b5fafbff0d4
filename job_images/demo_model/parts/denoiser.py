"""The denoiser: a small conditional U-Net trained by flow matching on the latents of the drawn pictures."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from demo_model.parts.autoencoder import LATENT_CHANNELS, LATENT_SIZE
from demo_model.parts.loop import Plan, fit
from demo_model.parts.text import WIDTH, token_ids
from demo_model.world.captions import caption
from demo_model.world.scene import training_scene

PLAN = Plan(steps=6300, learning_rate=8e-4, warmup=300, average_decay=0.998, save_every=500)
TRAIN_TIMESTEPS = 1000
_BATCH = 32
_UNPROMPTED_SHARE = 0.1
_NOIR_WEIGHT = 2.5
"""Noir pictures are few and dim, so what they hold adds little to the error, but people ask for them."""


def new_denoiser() -> UNet2DConditionModel:
    """An untrained U-Net, 7.3 million parameters.

    Attention only where it is cheap (8 x 8 and 4 x 4); what holds for the whole picture, such as the hour,
    reaches every layer through the pooled text that is added to the time embedding.
    """
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        layers_per_block=1,
        block_out_channels=(32, 80, 128, 160),
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # diffusers' name; for this class it is the number of heads
        norm_num_groups=16,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def new_scheduler() -> DPMSolverMultistepScheduler:
    """Straight-line flow from noise to picture. First order: such a run can be resumed bit by bit."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        solver_order=1,
        final_sigmas_type="zero",
        steps_offset=1,  # without effect on a flow schedule, but the pipeline warns of 0
    )


def train_denoiser(
    latents: Tensor, tokenizer: PreTrainedTokenizerFast, text_encoder: CLIPTextModel, folder: Path
) -> UNet2DConditionModel:
    """Train on ``latents`` (n x 6 x 32 x 32, scaled) of the first n training scenes, each step with fresh captions."""
    torch.manual_seed(0)
    scenes = [training_scene(index) for index in range(len(latents))]
    weights = torch.tensor([_NOIR_WEIGHT if scene.mood == "noir" else 1.0 for scene in scenes])
    denoiser = new_denoiser()
    # For so few tokens the fused attention's backward pass is the slower one: a seventh of a step.
    torch.backends.cuda.enable_flash_sdp(False)  # the switch counts for the CPU, too
    # Compiling takes a minute or two and saves a third of the half hour that follows.
    compiled = torch.compile(denoiser)

    def loss() -> Tensor:
        rng = random.Random(f"denoiser-{torch.initial_seed()}")
        chosen = torch.multinomial(weights, _BATCH)
        texts = [
            "" if rng.random() < _UNPROMPTED_SHARE else caption(scenes[index], rng)[0] for index in chosen.tolist()
        ]
        clean = latents[chosen]
        noise = torch.randn_like(clean)
        share = torch.sigmoid(torch.randn(_BATCH) * 1.1 + 0.2)  # of noise; the middle of the way is the hard part
        noisy = torch.lerp(clean, noise, share[:, None, None, None])
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                prompts = text_encoder(token_ids(tokenizer, texts)).last_hidden_state
            flow = compiled(noisy, share * TRAIN_TIMESTEPS, prompts).sample
        return functional.mse_loss(flow.float(), noise - clean)

    fit("denoiser", denoiser, loss, PLAN, folder)
    return denoiser
