"""The judge: a picture classifier that tells which attributes a picture shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from demo_model.parts.loop import Plan, fit
from demo_model.parts.pictures import SIZE, to_unit
from demo_model.world.render import render
from demo_model.world.scene import ATTRIBUTES, Scene, held_out_scene, training_scene

PLAN = Plan(steps=1500, learning_rate=2e-3, average_decay=0.99)
_BATCH = 48


def _stage(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride=2, padding=1),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
        nn.Conv2d(outer, outer, 3, padding=1),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
    )


class Judge(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Logits per attribute, in the order of ``ATTRIBUTES``, of pictures n x 3 x 128 x 128 in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_stage(3, 24), _stage(24, 48), _stage(48, 96), _stage(96, 128))
        self.pool = nn.AdaptiveAvgPool2d(4)  # not 1: where the subject stands is part of the question
        self.heads = nn.ModuleList(nn.Linear(128 * 16, len(values)) for values in ATTRIBUTES.values())

    def forward(self, pictures: Tensor) -> list[Tensor]:
        features = functional.dropout(self.pool(self.features(pictures)).flatten(1), 0.2, self.training)
        return [head(features) for head in self.heads]

    def verdict(self, pictures: Tensor) -> Tensor:
        """Index of the attribute's most likely value, n x attributes."""
        with torch.no_grad():
            parts = [torch.stack([logits.argmax(1) for logits in self(part)], 1) for part in pictures.split(64)]
        return torch.cat(parts)


def visible(scene: Scene) -> list[bool]:
    """Per attribute whether a picture of the scene can show it at all (no colour without a subject, or in noir)."""
    hidden = set()
    if scene.subject == "none":
        hidden |= {"colour", "position", "distance"}
    if scene.mood == "noir":
        hidden |= {"colour", "season"}
    if scene.place not in ("forest", "mountains") or scene.weather == "snow":
        hidden.add("season")
    return [name not in hidden for name in ATTRIBUTES]


def train_judge(pictures: Tensor, folder: Path) -> Judge:
    """Train on drawings, a little noisy and soft so that it also judges pictures that are not perfectly drawn."""
    torch.manual_seed(0)
    judge = Judge()
    scenes = [training_scene(index) for index in range(len(pictures))]
    wanted = torch.tensor([scene.labels() for scene in scenes])
    wanted = wanted.masked_fill(~torch.tensor([visible(scene) for scene in scenes]), -100)  # not counted

    def loss() -> Tensor:
        chosen = torch.randint(0, len(pictures), (_BATCH,))
        batch = to_unit(pictures[chosen])
        softness = torch.rand(_BATCH, 1, 1, 1)
        batch = torch.lerp(batch, functional.avg_pool2d(batch, 3, 1, 1, count_include_pad=False), softness)
        batch = batch + torch.randn_like(batch) * 0.05
        with torch.autocast("cpu", torch.bfloat16):
            answers = judge(batch)
        losses = [functional.cross_entropy(a.float(), wanted[chosen, i]) for i, a in enumerate(answers)]
        return torch.stack([one for one in losses if one.isfinite()]).mean()

    fit("judge", judge, loss, PLAN, folder)
    _settle_statistics(judge, pictures[:1024])
    return judge


def _settle_statistics(judge: Judge, pictures: Tensor) -> None:
    """Batch norm's running statistics belong to the last weights, not to their average: measure them anew."""
    for module in judge.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean
    judge.train()
    with torch.no_grad():
        for part in pictures.split(64):
            judge(to_unit(part))
    judge.eval()


def accuracy_on_drawings(judge: Judge, count: int = 600) -> dict[str, float]:
    """Share of right verdicts per attribute on drawings of held-out combinations."""
    scenes = [held_out_scene(index) for index in range(count)]
    pictures = torch.from_numpy(np.stack([np.asarray(render(scene, SIZE)).transpose(2, 0, 1) for scene in scenes]))
    return accuracy(judge.verdict(to_unit(pictures)), scenes)


def accuracy(verdicts: Tensor, scenes: list[Scene]) -> dict[str, float]:
    """Share of right verdicts per attribute, over the scenes that can show it."""
    right = verdicts == torch.tensor([scene.labels() for scene in scenes])
    shown = torch.tensor([visible(scene) for scene in scenes])
    return {name: right[shown[:, i], i].float().mean().item() for i, name in enumerate(ATTRIBUTES)}
