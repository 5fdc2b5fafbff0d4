"""`generate_video`: a storyboard brought to life, or a clip of a video model; both with the scene's sounds."""

from __future__ import annotations

from collections.abc import Iterator

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...context import Context, Output, OutputFile
from ...film.form import Form
from ...film.mp4 import save_film
from ...film.planes import Planes
from ...film.soundtrack import soundtrack
from ...outputs.facts import chosen_seed
from ...runtime.cpus import usable_cpus
from .clip import shoot_clip
from .footage import Footage
from .settings import VideoSettings
from .storyboard import shoot_storyboard

_MOST_THREADS = 4
"""For rendering: the encoder has as many, and is no faster."""


def run(ctx: Context[GenerateVideo]) -> Output:
    """Shoot, add the sound, encode."""
    data = ctx.data
    settings = ctx.settings(VideoSettings)
    form = settings.form(data)
    seed = chosen_seed(data.seed)
    shoot = shoot_storyboard if settings.mode == "storyboard" else shoot_clip
    footage = shoot(ctx, settings, form, seed)
    ctx.progress("synthesising_sound", 0.5)
    with ctx.timings.stage("infer"):
        sound = soundtrack(data.audio_cues, form.frames, form.fps, seed, ctx.warnings)
    file = ctx.work / "video.mp4"
    with ctx.timings.stage("encode"):
        save_film(_rendered(ctx, form, footage), sound, file, form, data.scene_description, footage.source)
    metadata = footage.metadata | {
        "duration": round(form.seconds, 3),
        "resolution": f"{form.width}x{form.height}",
        "width": form.width,
        "height": form.height,
        "fps": form.fps,
        "frames": form.frames,
        "mode": settings.mode,
        "file_size": file.stat().st_size,
    }
    return Output([OutputFile(file, "video/mp4")], metadata)


def _rendered(ctx: Context[GenerateVideo], form: Form, footage: Footage) -> Iterator[Planes]:
    """The frames, with progress, and an end when the job shall stop.

    Threads render while the encoder works: only the time that it waits for them is counted as rendering.
    """
    frames = footage.frames(min(usable_cpus(), _MOST_THREADS))
    for number in range(form.frames):
        ctx.check_stop()
        ctx.progress("rendering_video", 0.55 + 0.4 * number / form.frames)
        with ctx.timings.stage("render"):
            frame = next(frames)
        yield frame
    ctx.progress("encoding_video", 0.95)
