"""The training loop all parts share: seeded, resumable, averaged, with a progress bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Plan:
    """How long and how fast one part is trained."""

    steps: int
    learning_rate: float
    warmup: int = 200
    weight_decay: float = 0.01
    average_decay: float = 0.0  # of the weights' moving average; 0: keep the last weights
    save_every: int = 500


def fit(name: str, module: nn.Module, loss: Callable[[], Tensor], plan: Plan, folder: Path) -> None:
    """Minimise ``loss()`` over the parameters of ``module``, in place; ends with the averaged weights.

    Every step seeds torch by its own number and a checkpoint holds all other state, so a run that was
    interrupted and started again ends where an uninterrupted one would. A finished part returns at once.
    """
    checkpoint = folder / f"{name}.pt"
    optimizer = torch.optim.AdamW(
        module.parameters(), plan.learning_rate, betas=(0.9, 0.98), weight_decay=plan.weight_decay, fused=True
    )
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    average = [parameter.detach().clone() for parameter in parameters]
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        average, start = state["average"], state["step"]
    module.train()
    smooth = 0.0
    with tqdm(total=plan.steps, initial=start, desc=name, mininterval=5) as bar:
        for step in range(start, plan.steps):
            torch.manual_seed(step)
            rate = _rate(step, plan)
            for group in optimizer.param_groups:
                group["lr"] = rate
            value = loss()
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            # A young average follows fast, else it would remember the random start.
            decay = min(plan.average_decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, [parameter.detach() for parameter in parameters], 1 - decay)
            smooth = value.item() if not smooth else 0.98 * smooth + 0.02 * value.item()
            bar.update()
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
                _save(checkpoint, module, optimizer, average, step + 1)
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    module.eval()


def _rate(step: int, plan: Plan) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def _save(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, average: list[Tensor], step: int) -> None:
    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step}
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)  # a kill while writing leaves the last good checkpoint
