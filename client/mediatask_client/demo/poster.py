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

WIDTH, HEIGHT, GAP = 1600, 880, 28
LEFT = HEIGHT - 2 * GAP - 60
"""Side of the picture on the left."""
GROUND, INK, FAINT, ACCENT = "#0d1016", "#e8e4da", "#8a94a3", "#f3c677"


def draw_poster(files: dict[str, Path], tasks: dict[str, Task]) -> Image.Image:
    """The image left; right the film's frames, the voice's waveform, and the prompt's answer."""
    poster = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(poster)
    with Image.open(files["generate_image"]) as picture:
        poster.paste(ImageOps.fit(picture.convert("RGB"), (LEFT, LEFT)), (GAP, GAP))
    _caption(draw, (GAP, GAP + LEFT + 12), "generate_image", tasks)

    x, width = 2 * GAP + LEFT, WIDTH - LEFT - 3 * GAP
    bottom = _film(poster, files["generate_video"], x, GAP, width)
    _caption(draw, (x, bottom + 12), "generate_video", tasks)
    top = bottom + 76
    _waveform(draw, _samples(files["process_audio"]), x, top, width, 100)
    _caption(draw, (x, top + 110), "process_audio", tasks)
    top += 176
    # What does not fit is left out at a line's end, above the caption.
    lines = textwrap.wrap(_answer(files["test_prompt"]), 80)[: max(1, (HEIGHT - GAP - 60 - top) // 27)]
    draw.multiline_text((x, top), "\n".join(lines), fill=INK, font=_font(19), spacing=8)
    _caption(draw, (x, GAP + LEFT + 12), "test_prompt", tasks)
    return poster


def _film(poster: Image.Image, path: Path, x: int, y: int, width: int) -> int:
    """The middle frame large, first and last beside it; the lower edge is returned."""
    first, middle, last = _frames(path, [0.1, 0.5, 0.9])
    gap = 8
    small = (width - 2 * gap) // 3
    height = round(small * first.height / first.width)
    poster.paste(ImageOps.fit(middle, (2 * small + gap, 2 * height + gap)), (x, y))
    for row, frame in enumerate((first, last)):
        poster.paste(ImageOps.fit(frame, (small, height)), (x + 2 * (small + gap), y + row * (height + gap)))
    return y + 2 * height + gap


def _frames(path: Path, moments: list[float]) -> list[Image.Image]:
    """Frames at shares of the film's length."""
    with av.open(str(path)) as film:
        wanted = [int(moment * (film.streams.video[0].frames - 1)) for moment in moments]
        return [frame.to_image() for number, frame in enumerate(film.decode(video=0)) if number in wanted]


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
