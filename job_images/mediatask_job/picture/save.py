"""Picture files that say what they are: EXIF and XMP inside, equal pictures as equal bytes (so no dates)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PIL import ExifTags, Image, PngImagePlugin

from ..outputs.provenance import SOFTWARE, Source, xmp

Format = Literal["jpeg", "png", "webp"]

SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
_EXIF_TEXT = 2000
"""Characters of the description in EXIF: a JPEG segment holds 64 KiB, XMP and EXIF alike."""


def save_picture(image: Image.Image, file: Path, kind: Format, description: str, source: Source) -> None:
    """Write `image` to `file`."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = description[:_EXIF_TEXT]
    exif[ExifTags.Base.Software] = SOFTWARE
    packet = xmp(source, description)
    if kind == "jpeg":
        image.save(file, "JPEG", quality=92, optimize=True, exif=exif, xmp=packet)
    elif kind == "webp":
        image.save(file, "WEBP", quality=92, method=4, exif=exif, xmp=packet)
    else:
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        image.save(file, "PNG", exif=exif, pnginfo=chunks)
