"""`generate_video`: a storyboard brought to life, or a clip of a video model; both with the scene's sounds."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from PIL import Image
from pydantic import Field

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ..context import Context, Output, OutputFile
from ..film import camera, grade
from ..film.generated import model_frames, retimed
from ..film.mp4 import save_film
from ..film.soundtrack import soundtrack
from ..film.storyboard import Film, OpenStill, render
from ..film.timeline import frame_count
from ..outputs.facts import facts
from ..outputs.provenance import Source
from ..picture.canvas import drawing_size
from ..picture.settings import DrawingSettings

if TYPE_CHECKING:
    from ..models.load import Loaded

_SECONDS_PER_STILL = 3.0
_DEFAULT_NATIVE_FPS = 16
_MAX_TEXT_TOKENS = 256


class VideoSettings(DrawingSettings):
    """The class's parameters."""

    mode: Literal["storyboard", "diffusion"] = "storyboard"
    """`storyboard`: a camera moves over the storyboard's pictures, or over stills that the class's image model draws
    when there are none. `diffusion`: the class's video model draws the clip from the text."""
    width: Annotated[int, Field(ge=64, le=4096, multiple_of=8)] = 1280
    """Width in pixels where the task says none."""
    height: Annotated[int, Field(ge=64, le=4096, multiple_of=8)] = 720
    """Height in pixels where the task says none."""
    stills: Annotated[int, Field(ge=1, le=16)] | None = None
    """Stills to draw for a storyboard without pictures; by default one for every three seconds."""
    native_fps: Annotated[int, Field(ge=1, le=60)] | None = None
    """Frames per second that the video model draws; the rest is blended in between."""
    max_frames: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most frames of one call of the video model; a longer clip is slowed down to its length."""


@dataclass(frozen=True)
class Footage:
    """What is to be seen, whichever way it was made."""

    pictures: Iterable[Image.Image]
    source: Source
    metadata: dict[str, Any]


def run(ctx: Context[GenerateVideo]) -> Output:
    """Shoot, add the sound, encode."""
    data = ctx.data
    settings = ctx.settings(VideoSettings)
    film = _film(ctx, settings)
    seed = secrets.randbits(32) if data.seed is None else data.seed
    shoot = _from_storyboard if settings.mode == "storyboard" else _from_model
    footage = shoot(ctx, settings, film, seed)
    ctx.progress("synthesising_sound", 0.5)
    with ctx.timings.stage("infer"):
        sound = soundtrack(data.audio_cues, film.frames, film.fps, seed, ctx.warnings)
    file = ctx.work / "video.mp4"
    with ctx.timings.stage("encode"):
        pictures = _watched(ctx, film.grade.vignetted(footage.pictures, film.size), film.frames)
        save_film(pictures, sound, file, film.fps, film.size, data.scene_description, footage.source)
    metadata = footage.metadata | {
        "duration": round(film.frames / film.fps, 3),
        "resolution": f"{film.width}x{film.height}",
        "width": film.width,
        "height": film.height,
        "fps": film.fps,
        "frames": film.frames,
        "mode": settings.mode,
        "file_size": file.stat().st_size,
    }
    return Output([OutputFile(file, "video/mp4")], metadata)


def _film(ctx: Context[GenerateVideo], settings: VideoSettings) -> Film:
    """The film's form, from the task and the class; what is not known becomes neutral, with a warning."""
    data = ctx.data
    move = camera.find(data.camera_angle)
    if move is None:
        ctx.warnings.append(f"camera_angle {data.camera_angle!r} is not known; a slow push-in instead")
    light = grade.find(data.lighting)
    if light is None:
        ctx.warnings.append(f"lighting {data.lighting!r} is not known; colours are left as they are")
    return Film(
        width=data.width or settings.width,
        height=data.height or settings.height,
        fps=data.fps,
        frames=frame_count(data.duration, data.fps),
        move=move or camera.DEFAULT,
        grade=light or grade.NEUTRAL,
    )


def _watched(ctx: Context[GenerateVideo], pictures: Iterable[Image.Image], count: int) -> Iterator[Image.Image]:
    """The pictures, with progress, and an end when the job shall stop."""
    for number, picture in enumerate(pictures):
        ctx.check_stop()
        ctx.progress("rendering_video", 0.55 + 0.44 * number / count)
        yield picture


def _prompt(data: GenerateVideo) -> str:
    """One prompt of all that a text model can be told."""
    parts = [data.scene_description]
    parts += [f"{name}: {value.replace('_', ' ')}" for name, value in (
        ("camera", data.camera_angle), ("lighting", data.lighting), ("position", ", ".join(data.character_positions))
    ) if value]  # fmt: skip
    return ", ".join(parts)


# ---- storyboard


def _from_storyboard(ctx: Context[GenerateVideo], settings: VideoSettings, film: Film, seed: int) -> Footage:
    ctx.progress("fetching_inputs", 0.02)
    pictures = ctx.inputs.pictures(ctx.data.storyboard_images)
    if not pictures:
        return _from_drawn_stills(ctx, settings, film, seed)
    if ctx.data.character_positions:
        ctx.warnings.append("character_positions cannot be changed in given storyboard_images")
    opened: list[OpenStill] = [picture.open for picture in pictures]
    made = facts(seed=seed, model="storyboard", libraries=("av", "numpy", "pillow"))
    return Footage(render(film, opened), Source.COMPOSITE, made | {"stills": len(opened)})


def _from_drawn_stills(ctx: Context[GenerateVideo], settings: VideoSettings, film: Film, seed: int) -> Footage:
    from ..picture.draw import Order, draw

    count = settings.stills or max(round(film.frames / film.fps / _SECONDS_PER_STILL), 1)
    order = Order([_prompt(ctx.data)] * count, film.width, film.height, seed)
    ctx.progress("loading_model", 0.05)
    drawn = draw(ctx, order, settings, lambda done: ctx.progress("drawing_stills", 0.1 + 0.38 * done))
    opened = [_opened(image) for image in drawn.images]
    if ctx.data.storyboard_images:
        ctx.warnings.append("no storyboard picture arrived; stills were drawn from the description instead")
    return Footage(render(film, opened), Source.TRAINED, drawn.facts | {"stills": count})


def _opened(image: Image.Image) -> OpenStill:
    """A picture that is there already, as a still to open."""
    return lambda _max_side: image


# ---- video model


def _from_model(ctx: Context[GenerateVideo], settings: VideoSettings, film: Film, seed: int) -> Footage:
    if ctx.data.storyboard_images:
        ctx.warnings.append("storyboard_images are not used by a text-to-video model")
    ctx.progress("loading_model", 0.05)

    def work(loaded: Loaded) -> Footage:
        return _generated(ctx, loaded, settings, film, seed)

    return ctx.models.infer(work)


def _generated(ctx: Context[GenerateVideo], loaded: Loaded, settings: VideoSettings, film: Film, seed: int) -> Footage:
    import torch

    from ..picture.draw import drawing_facts

    known = loaded.folder.defaults
    steps = settings.steps or known.steps or int(loaded.default("num_inference_steps"))
    width, height = drawing_size(film.width, film.height, settings.native_size or known.native_size)
    native_fps = settings.native_fps or known.native_fps or _DEFAULT_NATIVE_FPS
    seconds = film.frames / film.fps
    count = model_frames(seconds, native_fps, settings.max_frames)
    guidance = settings.guidance_scale if settings.guidance_scale is not None else known.guidance_scale

    def on_step(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        ctx.check_stop()
        ctx.progress("generating_video", 0.1 + 0.38 * (step + 1) / steps)
        return tensors

    drawn: Sequence[Any] = loaded.pipeline(
        prompt=_prompt(ctx.data),
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
    if count < round(seconds * native_fps):
        ctx.warnings.append(f"the model drew {count} frames; they were slowed down to {seconds:g} s")
    graded = (film.grade.apply(picture) for picture in retimed(drawn, film.frames, film.size))
    made = drawing_facts(loaded, seed, steps) | {"model_frames": count}
    return Footage(graded, Source.TRAINED, made)
