"""A dark alley in the rain, seen through a pinhole camera: the storyboard's frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .detective import draw_detective
from .effects import LAMP, MOON, Pixels, add_beam, add_glow, add_rain, add_streak, finish, to_pixels

# Metres. The camera looks along z; x is to the right, y up from the pavement.
HALF_WIDTH = 2.6
WALL_HEIGHT = 15.0
END = 34.0
SLICE = 0.8
COURSE = 0.25
LAMPS = ((-2.15, 4.4, 8.5), (2.15, 4.4, 15.0), (-2.15, 4.4, 23.0))
FOG = (0.13, 0.18, 0.25)
BRICK = (0.034, 0.034, 0.044)


@dataclass(frozen=True)
class Shot:
    """A camera and where the detective stands."""

    camera_height: float = 1.5
    focal: float = 0.85
    """Focal length in picture widths."""
    detective_x: float = 0.0
    detective_z: float = 12.0
    seed: int = 1


def draw_alley(shot: Shot, width: int = 1280, height: int = 720) -> Image.Image:
    """The alley as `shot` sees it."""
    view = _View(shot, width, height)
    dry = to_pixels(view.world(mirrored=False))
    wet = to_pixels(view.world(mirrored=True).filter(ImageFilter.GaussianBlur(2.2)))
    ground = view.ground_mask()[..., None]
    pixels = dry * (1 - ground) + ground * (0.85 * wet * view.puddles()[..., None] + 0.015)
    view.add_light(pixels)
    view.add_detective(pixels)
    add_rain(pixels, 700, shot.seed)
    return finish(pixels, shot.seed)


class _View:
    """The shot's projection, and the drawing steps that need it."""

    def __init__(self, shot: Shot, width: int, height: int) -> None:
        self._shot, self._width, self._height = shot, width, height
        self._horizon = height * 0.56

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Metres to pixels."""
        scale = self._shot.focal * self._width / z
        return self._width / 2 + x * scale, self._horizon - (y - self._shot.camera_height) * scale

    def world(self, *, mirrored: bool) -> Image.Image:
        """Sky and walls; `mirrored` as the wet pavement reflects them."""
        rng = np.random.default_rng(self._shot.seed)
        image = self._sky(mirrored)
        draw = ImageDraw.Draw(image)
        up = -1.0 if mirrored else 1.0
        for z in np.arange(END, 1.2, -SLICE):
            for side in (-1, 1):
                self._wall(draw, rng, side * HALF_WIDTH, float(z), up)
        return image

    def _sky(self, mirrored: bool) -> Image.Image:
        rows = np.linspace(1, -1, self._height, dtype=np.float32)[:, None, None]
        distance = np.abs(rows) if not mirrored else np.abs(rows) * 0.8
        sky = np.array(FOG, np.float32) * (0.35 + 1.1 * np.exp(-4 * distance))
        return Image.fromarray((np.broadcast_to(sky, (self._height, self._width, 3)).clip(0, 1) * 255).astype(np.uint8))

    def _wall(self, draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, z: float, up: float) -> None:
        """One slice of a wall: brickwork in courses, now and then a window."""
        near = max(z - SLICE, 0.9)
        # Near slices are wide on the picture: in one piece, the falling light would show as stripes.
        strips = np.linspace(z, near, math.ceil(24 / z) + 1)
        for course in np.arange(0, WALL_HEIGHT, COURSE):
            brick = rng.uniform(0.93, 1.07)
            shade = _lit(x, course, z) * brick
            for far, end_z in pairwise(strips):
                lit = _lit(x, course, (far + end_z) / 2) * brick
                self._quad(draw, x, up * course, up * (course + COURSE), far, end_z, _fogged(lit, far))
            start, end = self.project(x, up * course, z), self.project(x, up * course, near)
            draw.line((*start, *end), fill=_fogged(shade * 0.6, z))
        if round(z / SLICE) % 4 == 0 and z < 30:
            for floor in range(1, 5):
                lit = rng.random() < 0.22
                colour = tuple(int(255 * part * 0.62) for part in LAMP) if lit else _fogged((0.02, 0.025, 0.035), z)
                self._quad(draw, x, up * (floor * 3.0 + 0.9), up * (floor * 3.0 + 2.3), z, near, colour)

    def _quad(
        self, draw: ImageDraw.ImageDraw, x: float, low: float, high: float, far: float, near: float, fill: object
    ) -> None:
        corners = [(low, far), (high, far), (high, near), (low, near)]
        draw.polygon([self.project(x, y, z) for y, z in corners], fill=fill)  # type: ignore[arg-type]

    def ground_mask(self) -> Pixels:
        """1 where the pavement is, (height, width)."""
        mask = Image.new("L", (self._width, self._height))
        sides = [(-HALF_WIDTH, END), (HALF_WIDTH, END), (HALF_WIDTH, 0.6), (-HALF_WIDTH, 0.6)]
        ImageDraw.Draw(mask).polygon([self.project(x, 0, z) for x, z in sides], fill=255)
        return np.asarray(mask.filter(ImageFilter.GaussianBlur(1)), dtype=np.float32) / 255

    def puddles(self) -> Pixels:
        """How much each place of the pavement reflects, (height, width): smooth water between rough stones."""
        rng = np.random.default_rng(self._shot.seed + 1)
        coarse = Image.fromarray((rng.random((40, 10)) * 255).astype(np.uint8))
        wide = coarse.resize((self._width, self._height), Image.Resampling.BICUBIC)
        return 0.45 + 0.55 * (np.asarray(wide, dtype=np.float32) / 255)

    def add_light(self, pixels: Pixels) -> None:
        """Lamps with their beams and reflections, and the fog at the alley's end."""
        add_glow(pixels, self._width / 2, self._horizon, self._width * 0.10, MOON, 0.34)
        for x, y, z in LAMPS:
            lamp, foot = self.project(x, y, z), self.project(x, 0, z)
            size = self._shot.focal * self._width / z
            beam = [lamp, (foot[0] - 1.5 * size, foot[1]), (foot[0] + 1.5 * size, foot[1])]
            add_beam(pixels, beam, LAMP, 0.17)
            add_glow(pixels, *lamp, 0.16 * size, LAMP, 1.5)
            add_glow(pixels, *lamp, 1.3 * size, LAMP, 0.13)
            mirror = self.project(x, -y, z)
            add_streak(pixels, mirror[0], foot[1] + 0.1 * size, 0.16 * size, 1.5 * size, LAMP, 0.55)

    def add_detective(self, pixels: Pixels) -> None:
        """A black figure with a thin edge of lamp light, and its reflection."""
        x, z = self._shot.detective_x, self._shot.detective_z
        foot_x, foot_y = self.project(x, 0, z)
        tall = 1.85 * self._shot.focal * self._width / z
        for squash, opacity, blur in ((-1.0, 0.55, 3.0), (1.0, 0.97, 0.7)):
            mask = self._figure(foot_x, foot_y, tall, squash, blur)
            pixels *= 1 - opacity * mask[..., None]
        edge = self._figure(foot_x, foot_y, tall, 1.0, 0.7) - self._figure(
            foot_x + tall * 0.009, foot_y + tall * 0.002, tall, 1.0, 0.9
        )
        pixels += 0.55 * edge.clip(0, 1)[..., None] * LAMP

    def _figure(self, x: float, y: float, tall: float, squash: float, blur: float) -> Pixels:
        mask = Image.new("L", (self._width, self._height))
        draw_detective(ImageDraw.Draw(mask), x, y, tall, 255, squash=squash)
        return np.asarray(mask.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32) / 255


def _lit(x: float, y: float, z: float) -> float:
    """Brightness of the brick at a place: its own darkness and what the lamps give."""
    shade = 1.0
    for lamp_x, lamp_y, lamp_z in LAMPS:
        distance = math.dist((x, y, z), (lamp_x, lamp_y, lamp_z))
        shade += 11 / (1 + distance**2 / 2.5)
    return shade


def _fogged(colour: float | tuple[float, float, float], z: float) -> tuple[int, int, int]:
    """A brightness (of brick) or a colour, seen through fog of depth `z`."""
    own = tuple(part * colour for part in BRICK) if isinstance(colour, float) else colour
    clear = math.exp(-z / 21)
    red, green, blue = (int(255 * min(a * clear + b * (1 - clear) * 0.9, 1)) for a, b in zip(own, FOG, strict=True))
    return red, green, blue
