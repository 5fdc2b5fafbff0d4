"""One command from nothing to the shipped model: ``python -m demo_model.train --work DIR --out DIR``.

Each part is trained once and kept in the work folder; an interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is ever downloaded

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline

from demo_model.judge import train_judge
from demo_model.parts.autoencoder import encode, train_autoencoder
from demo_model.parts.denoiser import new_scheduler, train_denoiser
from demo_model.parts.pictures import drawn
from demo_model.parts.text import new_tokenizer, train_text_encoder
from demo_model.parts.upscaler import train_upscaler

PICTURES = 24_000

_CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# demo-image

A small text-to-image model of a drawn world, trained by `demo_model` of this package on pictures that the same
package draws; no other data went into it. 128 x 128 pixels; `upscaler/` doubles a picture's size, as often as
wanted. What it can do and what not: docs/demo-model.md.
"""


def train(work: Path, out: Path) -> None:
    """Train every part in ``work`` and write the model to ``out``: a diffusers pipeline and ``out/upscaler``."""
    work.mkdir(parents=True, exist_ok=True)
    pictures = drawn(PICTURES, work)
    tokenizer = new_tokenizer()
    text_encoder, _ = train_text_encoder(tokenizer, work)
    autoencoder = train_autoencoder(pictures, work)
    latents = _latents(autoencoder, pictures, work)
    denoiser = train_denoiser(latents, tokenizer, text_encoder, work)
    upscaler = train_upscaler(autoencoder, pictures, work)
    train_judge(pictures, work)

    pipeline = StableDiffusionPipeline(
        vae=autoencoder.half(),
        # transformers loads a model in the type it was saved in, diffusers in float32: in half precision
        # the two would not fit together unless every caller named a type.
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=denoiser.half(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out)
    upscaler.half().save_pretrained(out / "upscaler")
    (out / "README.md").write_text(_CARD)
    shutil.copy(Path(__file__).parents[2] / "LICENSE", out)
    write_checksums(out)


def _latents(autoencoder: AutoencoderTiny, pictures: torch.Tensor, work: Path) -> torch.Tensor:
    """The pictures' scaled latents, encoded once."""
    path = work / "latents.pt"
    if not path.exists():
        with torch.autocast("cpu", torch.bfloat16):
            encoded = encode(autoencoder, pictures).float() * autoencoder.config.scaling_factor
        part = path.with_suffix(".part")
        torch.save(encoded, part)
        part.replace(path)
    latents: torch.Tensor = torch.load(path, weights_only=True)
    return latents


def write_checksums(folder: Path) -> None:
    """``SHA256SUMS`` of every file of the model, as ``sha256sum -c`` reads it."""
    target = folder / "SHA256SUMS"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != target)
    for path in files:
        path.chmod(0o644)  # safetensors writes files for the owner alone, and a wheel would keep that
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}" for path in files
    ]
    target.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and drawn pictures (about 2 GB)")
    parser.add_argument("--out", type=Path, required=True, help="where the finished model goes")
    arguments = parser.parse_args()
    train(arguments.work, arguments.out)


if __name__ == "__main__":
    main()
