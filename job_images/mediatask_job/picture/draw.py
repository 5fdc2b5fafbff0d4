"""Pictures from a text by the class's diffusion model: for pictures themselves and for the stills of a film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..context import Context
from ..outputs.facts import facts
from .canvas import drawing_size, exactly
from .decode import PictureFile
from .enlarge import enlarged
from .settings import DrawingSettings

if TYPE_CHECKING:
    from ..models.load import Loaded

SEEDS = 2**63
_REFERENCE_SIDE = 1024


@dataclass(frozen=True)
class Order:
    """What to draw. One picture per prompt, with consecutive seeds."""

    prompts: list[str]
    width: int
    height: int
    seed: int
    negative_prompt: str | None = None
    steps: int | None = None
    references: tuple[PictureFile, ...] = ()


@dataclass(frozen=True)
class Drawn:
    images: list[Image.Image]
    seeds: list[int]
    facts: dict[str, Any]
    """Shared metadata: model, revision, steps, device and so on."""


def draw(ctx: Context[Any], order: Order, settings: DrawingSettings, on_fraction: Callable[[float], None]) -> Drawn:
    """Draw on the class's model. Wishes that the model cannot follow become warnings of the task."""
    seeds = [(order.seed + number) % SEEDS for number in range(len(order.prompts))]

    def work(loaded: Loaded) -> Drawn:
        return _draw(loaded, order, seeds, settings, ctx, on_fraction)

    return ctx.models.infer(work)


def _draw(
    loaded: Loaded,
    order: Order,
    seeds: list[int],
    settings: DrawingSettings,
    ctx: Context[Any],
    on_fraction: Callable[[float], None],
) -> Drawn:
    import torch

    known = loaded.folder.defaults
    steps = order.steps or settings.steps or known.steps or int(loaded.default("num_inference_steps"))
    width, height = drawing_size(order.width, order.height, settings.native_size or known.native_size)
    arguments: dict[str, Any] = {"width": width, "height": height, "num_inference_steps": steps}
    guidance = known.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
    if guidance is not None:
        arguments["guidance_scale"] = guidance
    arguments |= _wishes(loaded, order, guidance, ctx.warnings)
    images = []
    for number, (prompt, seed) in enumerate(zip(order.prompts, seeds, strict=True)):

        def on_step(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any], number: int = number) -> dict[str, Any]:
            ctx.check_stop()
            on_fraction((number + (step + 1) / steps) / len(seeds))
            return tensors

        # A fresh generator on the CPU: the same noise whatever the device, and for each picture alone.
        generator = torch.Generator("cpu").manual_seed(seed)
        drawn = loaded.pipeline(prompt=prompt, generator=generator, callback_on_step_end=on_step, **arguments).images[0]
        if loaded.upscaler is not None:
            drawn = enlarged(drawn, loaded.upscaler, order.width, order.height, ctx.check_stop)
        images.append(exactly(drawn.convert("RGB"), order.width, order.height))
    return Drawn(images, seeds, drawing_facts(loaded, order.seed, steps))


def drawing_facts(loaded: Loaded, seed: int, steps: int) -> dict[str, Any]:
    """The shared metadata of everything a diffusion pipeline makes."""
    return facts(
        seed=seed,
        model=loaded.folder.name,
        revision=loaded.folder.revision,
        dtype=loaded.dtype,
        device=loaded.device,
        steps=steps,
        libraries=("diffusers", "torch", "transformers"),
    ) | {"rung": loaded.rung}


def _wishes(loaded: Loaded, order: Order, guidance: float | None, warnings: list[str]) -> dict[str, Any]:
    """Arguments that only some pipelines have."""
    arguments: dict[str, Any] = {}
    # Turbo models run with guidance 0 or 1, where a negative prompt has no effect.
    if order.negative_prompt and (not loaded.accepts("negative_prompt") or (guidance is not None and guidance <= 1)):
        _warn_once(warnings, f"negative_prompt has no effect with {loaded.folder.name}")
    elif order.negative_prompt:
        arguments["negative_prompt"] = order.negative_prompt
    if order.references and loaded.accepts("image"):
        arguments["image"] = [reference.open(_REFERENCE_SIDE) for reference in order.references]
    elif order.references:
        _warn_once(warnings, f"reference_images were fetched, but {loaded.folder.name} draws from text only")
    return arguments


def _warn_once(warnings: list[str], text: str) -> None:
    """The ladder may draw the same order twice."""
    if text not in warnings:
        warnings.append(text)
