"""`known_pictures`: whether a picture, or a frame of a film, is nearly one of a list; and whether it shows anything.

It compares 64-bit difference hashes (dHash): scaled, recoded, slightly retouched and mirrored copies of a listed
picture are found. It knows nothing about what a picture shows: whoever wants that judged brings a check with a model.
Blank and unreadable pictures are held, too: no check could say anything about them.

`python -m mediatask_job.checks.known_pictures FILE...` prints the hashes of pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from PIL import Image, ImageOps, ImageStat
from pydantic import Field, ValidationError

from mediatask_crds.base import Resource
from mediatask_crds.taskclass import OutputCheck

from ..context import OutputFile
from ..failures import InvalidInput
from . import Found

FRAMES = 48
"""Frames of a film that are looked at, evenly spread."""
_BITS = 64
_BLANK = 2.0
"""Standard deviation of brightness, of 255, below which there is nothing to be seen."""


class Settings(Resource):
    """The check's parameters."""

    hashes: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]], Field(max_length=10_000)] = []
    """Of the pictures that are not wanted."""
    distance: Annotated[int, Field(ge=1, le=16)] = 6
    """Bits by which a picture may differ from a listed one at a score of 0.5; 0 bits score 1."""


def check(files: Sequence[OutputFile], settings: OutputCheck) -> Found:
    """The worst of all pictures."""
    try:
        own = Settings.model_validate(settings.parameters)
    except ValidationError as error:
        raise InvalidInput("InvalidClassParameters", f"check {settings.name}: {error.errors()[0]['msg']}") from error
    known = [int(text, 16) for text in own.hashes]
    worst = Found(0.0, "NothingKnown")
    for file in files:
        try:
            for picture in _pictures(file):
                found = _judge(picture, known, own.distance)
                if found.score > worst.score:
                    worst = found
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return Found(1.0, "UnreadablePicture")
    return worst


def difference_hash(picture: Image.Image) -> int:
    """64 bits: for 8 rows of 8 places whether it becomes brighter to the right."""
    pixels = list(picture.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes())
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (pixels[row * 9 + column] < pixels[row * 9 + column + 1])
    return bits


def _judge(picture: Image.Image, known: Sequence[int], distance: int) -> Found:
    if ImageStat.Stat(picture.convert("L")).stddev[0] < _BLANK:
        return Found(1.0, "BlankPicture")
    hashes = difference_hash(picture), difference_hash(ImageOps.mirror(picture))
    nearest = min((bin(one ^ other).count("1") for one in hashes for other in known), default=_BITS)
    score = max(0.0, 1 - nearest / (2 * distance))
    return Found(score, "KnownPicture") if score else Found(0.0, "NothingKnown")


def _pictures(file: OutputFile) -> Iterator[Image.Image]:
    kind = file.content_type.partition("/")[0]
    if kind == "image":
        with Image.open(file.path) as picture:
            picture.load()
            yield picture
    elif kind == "video":
        yield from _frames(file.path)
    else:
        raise ValueError("neither a picture nor a film")


def _frames(path: Path) -> Iterator[Image.Image]:
    import av

    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        step = max((stream.frames or FRAMES) // FRAMES, 1)
        for number, frame in enumerate(film.decode(stream)):
            if number % step == 0:
                yield frame.to_image()


def main() -> None:
    for name in sys.argv[1:]:
        with Image.open(name) as picture:
            print(f"{difference_hash(picture):016x}  {name}")


if __name__ == "__main__":
    main()
