"""Stills of any shape in the film's shape: cut where little is lost, with margins where much would be."""

from __future__ import annotations

from typing import Protocol

from PIL import Image, ImageFilter, ImageOps

from .planes import Size

MOST_CUT = 0.25
"""The part of a still that may be cut off."""
_CENTERING = (0.5, 0.4)
"""What is cut off is less of the top than of the bottom: heads are up there."""
_MARGIN_SIDE = 96
"""Pixels of the longer side of the blurred copy before it is enlarged: nothing in it shall draw the eye."""
_MARGIN_LIGHT = 0.6


class Still(Protocol):
    """A picture that is read when it is needed."""

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        ...

    def open(self, max_side: int) -> Image.Image:
        """The upright RGB picture, its longer side at most `max_side` pixels."""
        ...


def has_margins(still: Size, film: Size) -> bool:
    """Whether a still is too far from the film's shape to fill it."""
    width, height = _scaled(still, film)
    return width < film[0] or height < film[1]


def framed(still: Still, size: Size) -> Image.Image:
    """The still at `size`. Margins show a blurred copy of it, darker."""
    scaled = _scaled(still.size, size)
    image = still.open(max(scaled))
    if not has_margins(still.size, size):
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS, centering=_CENTERING)
    inner = min(scaled[0], size[0]), min(scaled[1], size[1])
    picture = _margins(image, size)
    sharp = ImageOps.fit(image, inner, Image.Resampling.LANCZOS, centering=_CENTERING)
    picture.paste(sharp, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return picture


def _scaled(still: Size, film: Size) -> Size:
    """The size at which a still covers the film, or loses `MOST_CUT` of itself."""
    cover = max(film[0] / still[0], film[1] / still[1])
    contain = min(film[0] / still[0], film[1] / still[1])
    scale = min(cover, contain / (1 - MOST_CUT))
    return max(round(still[0] * scale), 1), max(round(still[1] * scale), 1)


def _margins(image: Image.Image, size: Size) -> Image.Image:
    scale = _MARGIN_SIDE / max(size)
    small = ImageOps.fit(image, (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)))
    blurred = small.filter(ImageFilter.GaussianBlur(_MARGIN_SIDE / 24)).point(lambda value: value * _MARGIN_LIGHT)
    return blurred.resize(size, Image.Resampling.BICUBIC)
