"""Shooting a clip: the class's video model draws it from the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...context import Context
from ...film.form import Form
from ...film.generated import model_frames, retimed
from ...models import READY
from ...outputs.provenance import Source
from ...picture.preview import Preview
from ...picture.sizes import drawing_size
from .footage import Footage, prompt
from .settings import VideoSettings

if TYPE_CHECKING:
    from ...models.loaded import Loaded

_DEFAULT_NATIVE_FPS = 16


def shoot_clip(ctx: Context[GenerateVideo], settings: VideoSettings, form: Form, seed: int) -> Footage:
    """Have the scene drawn. Camera and lighting are words of the prompt."""
    if ctx.data.storyboard_images:
        ctx.warnings.append("storyboard_images are not used by a text-to-video model")

    def work(loaded: Loaded) -> Footage:
        return _generated(ctx, loaded, settings, form, seed)

    return ctx.models.infer(work)


def _generated(ctx: Context[GenerateVideo], loaded: Loaded, settings: VideoSettings, form: Form, seed: int) -> Footage:
    known = loaded.folder.defaults
    sampling = loaded.sampling(settings.steps, settings.guidance_scale)
    size = drawing_size(form.width, form.height, settings.native_size or known.native_size, loaded.grid)
    native_fps = settings.native_fps or known.native_fps or _DEFAULT_NATIVE_FPS
    count = model_frames(form.seconds, native_fps, settings.max_frames)
    preview = Preview(loaded, size, settings.preview_seconds, ctx.show)

    def on_step(done: int, latents: Any) -> None:
        ctx.check_stop()
        ctx.progress("generating_video", READY + (0.48 - READY) * done / sampling.steps)
        preview.after_step(done, latents)

    drawn: Sequence[Any] = loaded.draw(
        prompt(ctx.data), size, seed, sampling, on_step, num_frames=count, output_type="np"
    ).frames[0]
    if count < round(form.seconds * native_fps):
        ctx.warnings.append(f"the model drew {count} frames; they were slowed down to {form.seconds:g} s")
    made = loaded.facts(seed, sampling) | {"model_frames": count}
    return Footage(lambda _threads: retimed(drawn, form), Source.TRAINED, made)
