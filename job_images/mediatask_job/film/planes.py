"""Pictures as the encoder takes them: planes of luma and, at half the size, of two chromas (BT.709, limited range).

A still is converted once. Views of it, fades and the vignette then move half the bytes of RGB, and a finished frame
needs no conversion.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

Affine = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: the pixel (x, y) of the result shows the point (a x + b y + c, d x + e y + f)."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
Size = tuple[int, int]

_BLACK = 16
_GREY = 128
"""Chroma without colour."""


@dataclass(frozen=True)
class Planes:
    """A picture with even sides. The images are of mode L and are never changed."""

    luma: Image.Image
    blue: Image.Image
    red: Image.Image

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.luma.size

    @classmethod
    def of(cls, image: Image.Image) -> Planes:
        """An RGB picture, converted."""
        width, height = image.size
        frame = av.VideoFrame.from_image(image).reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        packed = frame.to_ndarray().ravel()
        luma, blue, red = np.split(packed, [width * height, width * height * 5 // 4])
        return cls(
            Image.fromarray(luma.reshape(height, width)),
            Image.fromarray(blue.reshape(height // 2, width // 2)),
            Image.fromarray(red.reshape(height // 2, width // 2)),
        )

    def view(self, box: Box, size: Size) -> Planes:
        """The part in `box`, whose edges may lie between pixels, scaled to `size`."""
        half_box, half_size = _half(box), (size[0] // 2, size[1] // 2)
        return Planes(
            self.luma.resize(size, Image.Resampling.BICUBIC, box),
            self.blue.resize(half_size, Image.Resampling.BILINEAR, half_box),
            self.red.resize(half_size, Image.Resampling.BILINEAR, half_box),
        )

    def turned_view(self, affine: Affine, size: Size) -> Planes:
        """What the affine map shows at `size`. Twice as dear as `view`, which cannot turn."""
        a, b, c, d, e, f = affine
        half, half_size = (a, b, c / 2, d, e, f / 2), (size[0] // 2, size[1] // 2)
        how = Image.Transform.AFFINE
        return Planes(
            self.luma.transform(size, how, affine, Image.Resampling.BILINEAR),
            self.blue.transform(half_size, how, half, Image.Resampling.BILINEAR),
            self.red.transform(half_size, how, half, Image.Resampling.BILINEAR),
        )

    def blended(self, other: Planes, share: float) -> Planes:
        """This picture with `share` (0..1) of another of the same size."""
        return Planes(
            Image.blend(self.luma, other.luma, share),
            Image.blend(self.blue, other.blue, share),
            Image.blend(self.red, other.red, share),
        )

    def shaded(self, shade: Shade) -> Planes:
        """Darker where the shade, of the same size, lies."""
        return Planes(
            _faded(self.luma, _BLACK, shade.full),
            _faded(self.blue, _GREY, shade.half),
            _faded(self.red, _GREY, shade.half),
        )

    def frame(self) -> av.VideoFrame:
        """A copy for the encoder, `yuv420p`."""
        packed = np.concatenate([np.asarray(plane).ravel() for plane in (self.luma, self.blue, self.red)])
        frame = av.VideoFrame.from_ndarray(packed.reshape(-1, self.luma.width), format="yuv420p")
        frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
        return frame


@dataclass(frozen=True)
class Shade:
    """How much darker a frame is in each place: masks (mode L) for luma and chroma, 255 is black."""

    full: Image.Image
    half: Image.Image

    @classmethod
    def vignette(cls, strength: float, size: Size) -> Shade:
        """Dark corners; `strength` (0..1) of the light is missing at their tips."""
        across = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
        down = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
        distance = (across**2 + down**2) / 2
        full = Image.fromarray(np.rint(255 * strength * distance**1.5).astype(np.uint8))
        return cls(full, full.reduce(2))


def _faded(plane: Image.Image, towards: int, mask: Image.Image) -> Image.Image:
    faded = plane.copy()
    faded.paste(towards, mask=mask)
    return faded


def _half(box: Box) -> Box:
    left, top, right, bottom = box
    return left / 2, top / 2, right / 2, bottom / 2
