"""Pictures from a text by the class's diffusion model: for pictures themselves and for the stills of a film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..context import Context
from .decode import PictureFile
from .enlarge import doublings, enlarged
from .preview import Preview
from .settings import DrawingSettings
from .sizes import drawing_size, exactly

if TYPE_CHECKING:
    from ..models.loaded import Loaded, Sampling

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
    """Draw on the class's model. What the model cannot follow becomes a warning of the task."""
    seeds = [(order.seed + number) % SEEDS for number in range(len(order.prompts))]

    def work(loaded: Loaded) -> Drawn:
        sampling = loaded.sampling(order.steps or settings.steps, settings.guidance_scale)
        native = settings.native_size or loaded.folder.defaults.native_size
        size = drawing_size(order.width, order.height, native, loaded.grid)
        preview = Preview(loaded, size, settings.preview_seconds, ctx.show)
        arguments = _arguments(loaded, order, sampling, ctx.warnings)
        images = []
        for number, (prompt, seed) in enumerate(zip(order.prompts, seeds, strict=True)):

            def on_step(done: int, latents: Any, number: int = number) -> None:
                ctx.check_stop()
                on_fraction((number + done / sampling.steps) / len(seeds))
                preview.after_step(done, latents)

            drawn = loaded.draw(prompt, size, seed, sampling, on_step, **arguments).images[0]
            images.append(_at_size(ctx, loaded, drawn, order))
        return Drawn(images, seeds, loaded.facts(order.seed, sampling))

    return ctx.models.infer(work)


def _at_size(ctx: Context[Any], loaded: Loaded, drawn: Image.Image, order: Order) -> Image.Image:
    """The picture at exactly the size that was asked for."""
    if loaded.upscaler is not None and doublings(drawn.size, order.width, order.height):
        ctx.progress("upscaling", 0.0)
        drawn = enlarged(drawn, loaded.upscaler, order.width, order.height, ctx.check_stop)
    return exactly(drawn.convert("RGB"), order.width, order.height)


def _arguments(loaded: Loaded, order: Order, sampling: Sampling, warnings: list[str]) -> dict[str, Any]:
    """Arguments that only some pipelines have."""
    name, arguments = loaded.folder.name, dict[str, Any]()
    unknown = dict.fromkeys(word for prompt in order.prompts for word in loaded.unknown_words(prompt))
    if unknown:
        _warn_once(warnings, f"{name} does not know: {', '.join(unknown)}")
    if order.negative_prompt and not (loaded.accepts("negative_prompt") and sampling.hears_negatives):
        _warn_once(warnings, f"negative_prompt has no effect with {name}")
    elif order.negative_prompt:
        arguments["negative_prompt"] = order.negative_prompt
    if order.references and loaded.accepts("image"):
        arguments["image"] = [reference.open(_REFERENCE_SIDE) for reference in order.references]
    elif order.references:
        _warn_once(warnings, f"reference_images were fetched, but {name} draws from text only")
    return arguments


def _warn_once(warnings: list[str], text: str) -> None:
    """The ladder may draw the same order twice."""
    if text not in warnings:
        warnings.append(text)
