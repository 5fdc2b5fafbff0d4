"""Shooting a clip: the class's video model draws it from the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...context import Context
from ...film.form import Form
from ...film.generated import model_frames, retimed
from ...outputs.provenance import Source
from ...picture.canvas import drawing_size
from .footage import Footage, prompt
from .settings import VideoSettings

if TYPE_CHECKING:
    from ...models.load import Loaded

_DEFAULT_NATIVE_FPS = 16
_MAX_TEXT_TOKENS = 256


def shoot_clip(ctx: Context[GenerateVideo], settings: VideoSettings, form: Form, seed: int) -> Footage:
    """Have the scene drawn. Camera and lighting are words of the prompt."""
    if ctx.data.storyboard_images:
        ctx.warnings.append("storyboard_images are not used by a text-to-video model")
    ctx.progress("loading_model", 0.05)

    def work(loaded: Loaded) -> Footage:
        return _generated(ctx, loaded, settings, form, seed)

    return ctx.models.infer(work)


def _generated(ctx: Context[GenerateVideo], loaded: Loaded, settings: VideoSettings, form: Form, seed: int) -> Footage:
    import torch

    from ...picture.draw import drawing_facts

    known = loaded.folder.defaults
    steps = settings.steps or known.steps or int(loaded.default("num_inference_steps"))
    width, height = drawing_size(form.width, form.height, settings.native_size or known.native_size)
    native_fps = settings.native_fps or known.native_fps or _DEFAULT_NATIVE_FPS
    count = model_frames(form.seconds, native_fps, settings.max_frames)
    guidance = settings.guidance_scale if settings.guidance_scale is not None else known.guidance_scale

    def on_step(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        ctx.check_stop()
        ctx.progress("generating_video", 0.1 + 0.38 * (step + 1) / steps)
        return tensors

    drawn: Sequence[Any] = loaded.pipeline(
        prompt=prompt(ctx.data),
        width=width,
        height=height,
        num_frames=count,
        num_inference_steps=steps,
        max_sequence_length=_MAX_TEXT_TOKENS,
        generator=torch.Generator("cpu").manual_seed(seed),
        callback_on_step_end=on_step,
        output_type="np",
        **({} if guidance is None else {"guidance_scale": guidance}),
    ).frames[0]
    if count < round(form.seconds * native_fps):
        ctx.warnings.append(f"the model drew {count} frames; they were slowed down to {form.seconds:g} s")
    made = drawing_facts(loaded, seed, steps) | {"model_frames": count}
    return Footage(lambda _threads: retimed(drawn, form), Source.TRAINED, made)
