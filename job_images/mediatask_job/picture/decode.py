"""Pictures from strangers: format and size are known before a pixel is decoded."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..failures import InvalidInput

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_SMALLEST_SIDE = 8
_MOST_SCANS = 100
"""A progressive JPEG has about ten; thousands are made to take hours."""
_SCALABLE = ("L", "RGB", "RGBA")
"""Modes whose pixels may be averaged; those of palettes may not."""

_TURNED = (5, 6, 7, 8)
"""EXIF orientations whose pictures are stored lying on a side."""

# `check_picture` knows the limit of the class; Pillow's own warns at another and refuses at the double of it.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class PictureFile:
    """A file that was decoded once without complaint. Pixels are read when they are needed, not kept."""

    file: Path
    url: str
    size: tuple[int, int]
    """Width and height in pixels, upright."""

    def open(self, max_side: int) -> Image.Image:
        """The upright RGB picture, its longer side at most `max_side` pixels. Of an animation the first frame."""
        with Image.open(self.file, formats=FORMATS) as image:
            # JPEG decodes straight to a smaller size; the others shrink before anything else makes copies of them.
            image.draft("RGB", (max_side, max_side))
            small = image if image.mode in _SCALABLE else image.convert(_with_alpha(image))
            small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
            small.load()  # one that is small already is still unread, and the file closes here
        upright = ImageOps.exif_transpose(small)
        if upright.has_transparency_data:
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
        return upright.convert("RGB")


def _scans(file: Path) -> int:
    """How many scans a JPEG has. Each goes over all of the picture; no marker occurs within their data."""
    with file.open("rb") as body, mmap.mmap(body.fileno(), 0, access=mmap.ACCESS_READ) as content:
        count = at = 0
        while count <= _MOST_SCANS and (at := content.find(b"\xff\xda", at) + 1):
            count += 1
        return count


def _with_alpha(image: Image.Image) -> str:
    return "RGBA" if image.has_transparency_data else "RGB"


def check_picture(file: Path, url: str, max_pixels: int) -> PictureFile:
    """Make sure that the file is a picture that can be decoded within `max_pixels`.

    Raises:
        InvalidInput: another format, too large, damaged, or a decompression bomb.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise InvalidInput(
                    "InputTooLarge",
                    f"{url}: a picture of {width}x{height}; at most {max_pixels} pixels are accepted",
                )
            if min(width, height) < _SMALLEST_SIDE:
                raise InvalidInput("InputUnusable", f"{url}: a picture of {width}x{height} shows nothing")
            if image.format == "JPEG" and _scans(file) > _MOST_SCANS:
                raise InvalidInput("InputUnusable", f"{url}: a JPEG of more than {_MOST_SCANS} scans")
            # Not before the size is known to be right: where it must, looking for EXIF decodes the whole picture.
            turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
            image.load()
    except UnidentifiedImageError as error:
        raise InvalidInput("InputUnusable", f"{url}: not a picture of a known format ({', '.join(FORMATS)})") from error
    # Pillow's decoders raise these and more on damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:
        raise InvalidInput("InputUnusable", f"{url}: a damaged picture: {error}") from error
    return PictureFile(file, url, (height, width) if turned else (width, height))
