"""Show a downloaded file: in the platform's viewer, and as a small picture in a terminal that has colours."""

from __future__ import annotations

import mimetypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from .output import stdout

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
PREVIEW_COLUMNS = 64


def show(path: Path) -> None:
    """Show a downloaded file where that is possible. Only media is: a job could have made a program."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith(("image/", "video/", "audio/")) or kind == "application/json":
        _ = open_file(path) or preview(stdout(), path)


def open_file(path: Path) -> bool:
    """Hand the file to the platform's viewer; False where there is no display or no viewer."""
    if sys.platform == "win32":
        os.startfile(path)
        return True
    if sys.platform == "darwin":
        command = shutil.which("open")
    else:
        on_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        command = shutil.which("xdg-open") if on_screen else None
    if command is None:
        return False
    quiet = subprocess.DEVNULL
    subprocess.Popen([command, str(path)], stdout=quiet, stderr=quiet, start_new_session=True)
    return True


def preview(console: Console, path: Path) -> bool:
    """Print the picture of a file, as `draw` does; False where that is not possible."""
    return path.suffix.lower() in PICTURES and draw(console, path)


def draw(console: Console, file: Path | IO[bytes]) -> bool:
    """Print a picture with half blocks, two pixels to a character; False where that is not possible."""
    if not console.is_terminal or console.color_system != "truecolor":
        return False
    try:
        from PIL import Image
    except ImportError:
        return False
    try:
        with Image.open(file) as picture:
            width = min(PREVIEW_COLUMNS, console.width)
            # A character is about twice as high as wide, so that a half block is about square.
            rows = max(1, round(width * picture.height / picture.width / 2))
            small = picture.convert("RGB").resize((width, rows * 2))
    except (OSError, Image.DecompressionBombError):
        return False
    pixels = small.load()
    assert pixels is not None
    segments: list[Segment] = []
    for row in range(rows):
        for column in range(width):
            top, bottom = (Color.from_rgb(*_rgb(pixels[column, 2 * row + half])) for half in (0, 1))
            segments.append(Segment("▀", Style(color=top, bgcolor=bottom)))
        segments.append(Segment.line())
    console.print(Segments(segments))
    return True


def _rgb(pixel: object) -> tuple[int, int, int]:
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]
