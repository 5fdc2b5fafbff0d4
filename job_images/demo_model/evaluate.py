"""Judges a trained model: ``python -m demo_model.evaluate --work DIR --model DIR --out DIR``.

Prompts speak of combinations that training never showed. Written are ``report.json`` and ``grid.jpg``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from diffusers import AutoencoderTiny, DiffusionPipeline
from PIL import Image
from torch import Tensor

from demo_model.judge import Judge, accuracy_on_drawings, train_judge, visible
from demo_model.paint import enlarge, load, paint, to_image
from demo_model.parts.pictures import drawn
from demo_model.train import PICTURES
from demo_model.world.captions import UNNAMED, caption
from demo_model.world.scene import ATTRIBUTES, Scene, held_out_scene

_BATCH = 24
_FIRST = 100_000
"""Held-out scenes are counted from here, so that none of them helped to choose anything."""


def prompt_accuracy(pipeline: DiffusionPipeline, judge: Judge, count: int) -> dict[str, dict[str, float]]:
    """Per attribute: share of pictures that show what their prompt names, chance level, and number of prompts."""
    scenes = [held_out_scene(_FIRST + index) for index in range(count)]
    prompts, labels = zip(*(caption(scene, random.Random(index)) for index, scene in enumerate(scenes)), strict=True)
    verdicts = judge.verdict(_painted(pipeline, list(prompts)))
    wanted = torch.tensor(labels)
    asked = (wanted != UNNAMED) & torch.tensor([visible(scene) for scene in scenes])
    report = {}
    for index, (name, values) in enumerate(ATTRIBUTES.items()):
        chosen = asked[:, index]
        right = (verdicts[chosen, index] == wanted[chosen, index]).float().mean().item()
        report[name] = {"accuracy": round(right, 3), "chance": round(1 / len(values), 3), "prompts": int(chosen.sum())}
    return report


def diversity(pipeline: DiffusionPipeline) -> float:
    """Mean distance of pictures of one prompt over seeds, as a share of the distance between prompts."""
    prompts = ["a red car in the city at night", "a detective in the forest, day", "a lighthouse by the sea at dusk"]
    pictures = paint(pipeline, [prompt for prompt in prompts for _ in range(6)], list(range(18)))
    groups = pictures.flatten(1).view(3, 6, -1)
    within = torch.stack([torch.pdist(group).mean() for group in groups]).mean()
    between = torch.pdist(groups[:, 0]).mean()
    return float(within / between)


def _painted(pipeline: DiffusionPipeline, prompts: list[str]) -> Tensor:
    starts = range(0, len(prompts), _BATCH)
    parts = [
        paint(pipeline, part, [i + k for k in range(len(part))]) for i in starts if (part := prompts[i : i + _BATCH])
    ]
    return torch.cat(parts)


def grid(pipeline: DiffusionPipeline, upscaler: AutoencoderTiny, prompts: list[str], columns: int = 6) -> Image.Image:
    """The prompts' pictures at 256 pixels, row by row."""
    pictures = enlarge(upscaler, _painted(pipeline, prompts), 1)
    rows = -(-len(prompts) // columns)
    sheet = Image.new("RGB", (columns * 256, rows * 256))
    for index, picture in enumerate(pictures):
        sheet.paste(to_image(picture), (index % columns * 256, index // columns * 256))
    return sheet


def random_prompts(count: int) -> list[str]:
    """Captions of held-out scenes."""
    scenes: list[Scene] = [held_out_scene(_FIRST + 50_000 + index) for index in range(count)]
    return [caption(scene, random.Random(f"grid-{index}"))[0] for index, scene in enumerate(scenes)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="the folder that training used")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=480)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    judge = train_judge(drawn(PICTURES, arguments.work), arguments.work)
    pipeline = load(arguments.model)
    upscaler = AutoencoderTiny.from_pretrained(arguments.model / "upscaler", local_files_only=True)
    prompts = random_prompts(24)
    grid(pipeline, upscaler, prompts).save(arguments.out / "grid.jpg", quality=88)
    report = {
        "judge_on_drawings": {name: round(share, 3) for name, share in accuracy_on_drawings(judge).items()},
        "model_on_prompts": prompt_accuracy(pipeline, judge, arguments.prompts),
        "diversity": round(diversity(pipeline), 3),
        "grid_prompts": prompts,
    }
    (arguments.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
