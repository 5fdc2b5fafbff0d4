"""One picture of all that came out: the README's `demo.png`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ..models import Task
from .results import in_words

WIDTH, GAP = 1600, 28
LEFT = 1060
"""Width of the film and the voice; the picture and the prompt's answer share what is left on the right."""
RIGHT = WIDTH - LEFT - 3 * GAP
STRIP_GAP, WAVE, CAPTION = 8, 130, 74
GROUND, INK, FAINT, ACCENT = "#0d1016", "#e8e4da", "#8a94a3", "#f3c677"


def draw_poster(files: dict[str, Path], tasks: dict[str, Task]) -> Image.Image:
    """Left the film's frames over the voice's waveform; right the image over the prompt's answer."""
    frames = _frames(files["generate_video"], [0.15, 0.35, 0.65, 0.95])
    film = _film(frames, LEFT)
    height = GAP + film.height + CAPTION + WAVE + CAPTION
    poster = Image.new("RGB", (WIDTH, height), GROUND)
    draw = ImageDraw.Draw(poster)

    poster.paste(film, (GAP, GAP))
    top = GAP + film.height
    _caption(draw, (GAP, top + 10), "generate_video", tasks)
    top += CAPTION
    _waveform(draw, _samples(files["process_audio"]), GAP, top, LEFT, WAVE)
    _caption(draw, (GAP, top + WAVE + 10), "process_audio", tasks)

    x, top = 2 * GAP + LEFT, GAP
    with Image.open(files["generate_image"]) as picture:
        poster.paste(ImageOps.fit(picture.convert("RGB"), (RIGHT, RIGHT)), (x, top))
    _caption(draw, (x, top + RIGHT + 10), "generate_image", tasks)
    top += RIGHT + CAPTION + GAP
    # What does not fit is left out at a line's end, so that the caption fits below it.
    room = max(1, (height - CAPTION - 14 - top) // 29)
    lines = textwrap.wrap(_answer(files["test_prompt"]), 46)[:room]
    draw.multiline_text((x, top), "\n".join(lines), fill=INK, font=_font(20), spacing=9)
    _caption(draw, (x, top + 29 * len(lines) + 14), "test_prompt", tasks)
    return poster


def _film(frames: list[Image.Image], width: int) -> Image.Image:
    """The first frame large, the others in a strip below it."""
    large, *others = frames
    small = (width - STRIP_GAP * (len(others) - 1)) // len(others)
    heights = [round(side * large.height / large.width) for side in (width, small)]
    film = Image.new("RGB", (width, sum(heights) + STRIP_GAP), GROUND)
    film.paste(ImageOps.fit(large, (width, heights[0])), (0, 0))
    for column, frame in enumerate(others):
        film.paste(ImageOps.fit(frame, (small, heights[1])), (column * (small + STRIP_GAP), heights[0] + STRIP_GAP))
    return film


def _frames(path: Path, moments: list[float]) -> list[Image.Image]:
    """Frames at shares of the film's length, in that order."""
    with av.open(str(path)) as film:
        wanted = [int(moment * (film.streams.video[0].frames - 1)) for moment in moments]
        found = {number: frame.to_image() for number, frame in enumerate(film.decode(video=0)) if number in wanted}
    return [found[number] for number in wanted]


def _samples(path: Path) -> NDArray[np.float32]:
    """Mono samples, -1 to 1."""
    with av.open(str(path)) as sound:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        parts = [part.to_ndarray().ravel() for frame in sound.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts)


def _waveform(draw: ImageDraw.ImageDraw, samples: NDArray[np.float32], x: int, y: int, width: int, height: int) -> None:
    bars = width // 5
    loudest = float(np.abs(samples).max()) or 1.0
    for number, part in enumerate(np.array_split(samples, bars)):
        half = max(1.0, float(np.abs(part).max()) / loudest * height / 2)
        left = x + number * 5
        draw.rounded_rectangle((left, y + height / 2 - half, left + 2, y + height / 2 + half), 1, fill=ACCENT)


def _answer(path: Path) -> str:
    """The text that came out of the prompt."""
    output: dict[str, Any] = json.loads(path.read_text())
    return " ".join(str(output["output_data"]["text"]).split())


def _caption(draw: ImageDraw.ImageDraw, at: tuple[int, int], kind: str, tasks: dict[str, Task]) -> None:
    draw.text(at, kind, fill=ACCENT, font=_font(21))
    draw.text((at[0], at[1] + 27), in_words(tasks[kind]), fill=FAINT, font=_font(17))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
