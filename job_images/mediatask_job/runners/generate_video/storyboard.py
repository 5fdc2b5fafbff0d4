"""Shooting a storyboard: given pictures, or stills that the class's image model draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...context import Context
from ...film import camera, grade
from ...film.form import Form
from ...film.framing import MOST_CUT, Still, has_margins
from ...film.storyboard import Storyboard
from ...models import READY
from ...outputs.facts import facts
from ...outputs.provenance import Source
from .footage import Footage, prompt
from .settings import VideoSettings

_SECONDS_PER_STILL = 3.0


def shoot_storyboard(ctx: Context[GenerateVideo], settings: VideoSettings, form: Form, seed: int) -> Footage:
    """Move the camera over the task's pictures; where it has none, over drawn stills."""
    ctx.progress("fetching_inputs", 0.02)
    pictures = ctx.inputs.pictures(ctx.data.storyboard_images)
    if not pictures:
        return _drawn(ctx, settings, form, seed)
    if ctx.data.character_positions:
        ctx.warnings.append("character_positions cannot be changed in given storyboard_images")
    _warn_of_margins(ctx, pictures, form)
    board = Storyboard(form, _move(ctx), _light(ctx), pictures)
    made = facts(seed=seed, model="storyboard", libraries=("av", "numpy", "pillow"))
    return Footage(board.frames, Source.COMPOSITE, made | {"stills": len(pictures)})


def _drawn(ctx: Context[GenerateVideo], settings: VideoSettings, form: Form, seed: int) -> Footage:
    from ...picture.draw import Order, draw

    count = settings.stills or max(round(form.seconds / _SECONDS_PER_STILL), 1)
    order = Order([prompt(ctx.data)] * count, form.width, form.height, seed)
    drawn = draw(ctx, order, settings, lambda done: ctx.progress("drawing_stills", READY + (0.48 - READY) * done))
    if ctx.data.storyboard_images:
        ctx.warnings.append("no storyboard picture arrived; stills were drawn from the description instead")
    # The prompt asks for the lighting: graded, too, a dark scene would become black.
    board = Storyboard(form, _move(ctx), grade.NEUTRAL, [DrawnStill(image) for image in drawn.images])
    return Footage(board.frames, Source.TRAINED, drawn.facts | {"stills": count})


@dataclass(frozen=True)
class DrawnStill:
    """A still that is in memory already."""

    image: Image.Image

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def open(self, _max_side: int) -> Image.Image:
        return self.image


def _move(ctx: Context[GenerateVideo]) -> camera.Move:
    move = camera.find(ctx.data.camera_angle)
    if move is None:
        ctx.warnings.append(f"camera_angle {ctx.data.camera_angle!r} is not known; a slow push-in instead")
    return move or camera.DEFAULT


def _light(ctx: Context[GenerateVideo]) -> grade.Grade:
    light = grade.find(ctx.data.lighting)
    if light is None:
        ctx.warnings.append(f"lighting {ctx.data.lighting!r} is not known; colours are left as they are")
    return light or grade.NEUTRAL


def _warn_of_margins(ctx: Context[GenerateVideo], pictures: Sequence[Still], form: Form) -> None:
    numbers = [str(n) for n, picture in enumerate(pictures, start=1) if has_margins(picture.size, form.size)]
    if numbers:
        ctx.warnings.append(
            f"storyboard picture {', '.join(numbers)}: far from the shape of {form.width}x{form.height}; "
            f"{MOST_CUT:.0%} of it is cut off, and a blurred copy fills the margins"
        )
