"""The subjects, one function per kind.

Each is drawn in a frame of its own: u to the right of the middle, v up from the foot, 1 is its height.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demo_model.world.canvas import Canvas, Colour, Point, mix, scale
from demo_model.world.light import Light
from demo_model.world.scene import Scene

COLOURS: dict[str, Colour] = {
    "red": (214, 44, 40),
    "blue": (44, 92, 220),
    "green": (48, 164, 72),
    "yellow": (242, 208, 48),
    "white": (240, 240, 240),
    "black": (34, 34, 40),
    "brown": (146, 98, 58),
}

_SKIN: tuple[Colour, ...] = ((236, 190, 156), (198, 146, 108), (128, 86, 62))
_CENTRE = {"left": 0.24, "centre": 0.5, "right": 0.76}
_FOOT_AND_HEIGHT = {"wide": (0.83, 0.30), "medium": (0.93, 0.52), "close": (1.42, 1.28)}
"""Where the feet stand and how tall a person is, in picture heights; a close-up shows head and shoulders."""
_THING_FOOT_AND_HEIGHT = {"wide": (0.84, 0.30), "medium": (0.93, 0.52), "close": (1.02, 0.88)}
"""The same for things, which a close-up shows whole or nearly so."""


@dataclass(frozen=True)
class _Frame:
    """Maps a subject's own coordinates to the picture's."""

    canvas: Canvas
    light: Light
    x: float
    foot: float
    height: float

    def _at(self, u: float, v: float) -> Point:
        return self.x + u * self.height, self.foot - v * self.height

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self.canvas.polygon([self._at(u, v) for u, v in points], self.light.on_subject(colour))

    def box(self, u: float, v: float, half_width: float, half_height: float, colour: Colour) -> None:
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        self.polygon([(u + i * half_width, v + j * half_height) for i, j in corners], colour)

    def ellipse(self, u: float, v: float, radius_u: float, radius_v: float, colour: Colour) -> None:
        x, y = self._at(u, v)
        self.canvas.ellipse(x, y, radius_u * self.height, radius_v * self.height, self.light.on_subject(colour))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        self.canvas.line([self._at(u, v) for u, v in points], width * self.height, self.light.on_subject(colour))

    def lamp(self, u: float, v: float, radius: float, colour: Colour) -> None:
        """Something that shines by itself: full colour, and a halo when it is dark."""
        x, y = self._at(u, v)
        if self.light.dark:
            self.canvas.glow(x, y, radius * 5 * self.height, colour, 0.7)
        self.canvas.ellipse(x, y, radius * self.height, radius * self.height, colour)


def _detective(frame: _Frame, coat: Colour, rng: random.Random) -> None:
    skin, dark = rng.choice(_SKIN), scale(coat, 0.72)
    for side in (-1, 1):
        frame.box(side * 0.055, 0.09, 0.04, 0.09, (38, 38, 46))
    frame.polygon([(-0.13, 0.76), (0.13, 0.76), (0.15, 0.45), (0.19, 0.14), (-0.19, 0.14), (-0.15, 0.45)], coat)
    for side in (-1, 1):
        frame.polygon([(side * 0.12, 0.76), (side * 0.19, 0.70), (side * 0.21, 0.42), (side * 0.14, 0.42)], dark)
    frame.polygon([(-0.05, 0.78), (0.05, 0.78), (0, 0.58)], (236, 232, 224))
    frame.polygon([(-0.014, 0.74), (0.014, 0.74), (0.018, 0.6), (0, 0.57), (-0.018, 0.6)], (120, 30, 34))
    frame.box(0, 0.46, 0.152, 0.02, dark)
    frame.line([(0, 0.45), (0, 0.14)], 0.014, dark)
    frame.ellipse(0, 0.85, 0.072, 0.088, skin)
    for side in (-1, 1):
        frame.ellipse(side * 0.028, 0.855, 0.011, 0.011, (28, 26, 30))
    frame.line([(-0.025, 0.805), (0.025, 0.805)], 0.01, scale(skin, 0.55))
    frame.ellipse(0, 0.905, 0.152, 0.027, dark)
    frame.polygon([(-0.088, 0.905), (0.088, 0.905), (0.07, 1.0), (0.015, 0.985), (-0.07, 1.0)], coat)
    frame.box(0, 0.922, 0.087, 0.014, (24, 24, 28))


def _woman(frame: _Frame, dress: Colour, rng: random.Random) -> None:
    skin = rng.choice(_SKIN)
    hair = rng.choice(((54, 34, 26), (24, 22, 26), (196, 142, 62), (140, 58, 32)))
    for side in (-1, 1):
        frame.box(side * 0.045, 0.1, 0.024, 0.1, skin)
    frame.ellipse(0, 0.84, 0.112, 0.12, hair)
    frame.polygon([(-0.112, 0.84), (0.112, 0.84), (0.125, 0.66), (-0.125, 0.66)], hair)
    frame.polygon([(-0.085, 0.73), (0.085, 0.73), (0.065, 0.52), (0.235, 0.17), (-0.235, 0.17), (-0.065, 0.52)], dress)
    for side in (-1, 1):
        frame.line([(side * 0.09, 0.7), (side * 0.15, 0.56), (side * 0.13, 0.42)], 0.036, skin)
    frame.box(0, 0.76, 0.026, 0.04, skin)
    frame.box(0, 0.525, 0.07, 0.014, scale(dress, 0.68))
    frame.ellipse(0, 0.855, 0.068, 0.084, skin)
    frame.polygon([(-0.075, 0.88), (0, 0.945), (0.075, 0.88), (0.05, 0.92), (0, 0.955), (-0.05, 0.92)], hair)
    for side in (-1, 1):
        frame.ellipse(side * 0.028, 0.86, 0.011, 0.012, (28, 26, 30))
    frame.ellipse(0, 0.815, 0.02, 0.009, (190, 40, 54))


def _robot(frame: _Frame, body: Colour, rng: random.Random) -> None:
    joint: Colour = (120, 126, 136)
    eye: Colour = rng.choice(((90, 240, 255), (255, 210, 80)))
    for side in (-1, 1):
        frame.box(side * 0.085, 0.14, 0.035, 0.12, joint)
        frame.box(side * 0.095, 0.03, 0.065, 0.03, body)
        frame.line([(side * 0.17, 0.6), (side * 0.245, 0.5), (side * 0.245, 0.34)], 0.05, joint)
        frame.ellipse(side * 0.245, 0.32, 0.042, 0.042, body)
    frame.box(0, 0.44, 0.175, 0.2, body)
    frame.box(0, 0.47, 0.11, 0.085, scale(body, 0.62))
    frame.lamp(0, 0.47, 0.03, (255, 96, 80))
    frame.box(0, 0.665, 0.05, 0.03, joint)
    frame.box(0, 0.79, 0.14, 0.105, body)
    frame.box(0, 0.8, 0.115, 0.055, (36, 40, 50))
    for side in (-1, 1):
        frame.lamp(side * 0.055, 0.8, 0.026, eye)
    frame.line([(0, 0.89), (0, 0.97)], 0.014, joint)
    frame.lamp(0, 0.98, 0.022, (255, 96, 80))


def _car(frame: _Frame, paint: Colour, rng: random.Random) -> None:
    glass: Colour = (168, 204, 226)
    way = rng.choice((-1, 1))
    frame.ellipse(0, 0.02, 0.6, 0.035, (26, 26, 30))
    frame.polygon(
        [
            (way * u, v)
            for u, v in ((-0.58, 0.1), (-0.58, 0.3), (-0.42, 0.33), (0.3, 0.33), (0.54, 0.27), (0.6, 0.18), (0.6, 0.1))
        ],
        paint,
    )
    frame.polygon(
        [(way * u, v) for u, v in ((-0.42, 0.32), (-0.28, 0.52), (0.12, 0.52), (0.33, 0.32))], scale(paint, 0.86)
    )
    frame.polygon([(way * u, v) for u, v in ((-0.34, 0.335), (-0.245, 0.48), (-0.08, 0.48), (-0.08, 0.335))], glass)
    frame.polygon([(way * u, v) for u, v in ((-0.04, 0.335), (-0.04, 0.48), (0.1, 0.48), (0.25, 0.335))], glass)
    frame.box(0, 0.125, 0.58, 0.026, scale(paint, 0.66))
    for u in (-0.33, 0.35):
        frame.ellipse(way * u, 0.1, 0.115, 0.115, (24, 24, 28))
        frame.ellipse(way * u, 0.1, 0.052, 0.052, (176, 180, 188))
    frame.lamp(way * 0.56, 0.215, 0.028, (255, 240, 176))


def _house(frame: _Frame, wall: Colour, rng: random.Random) -> None:
    roof = rng.choice(((150, 66, 50), (92, 84, 96)))
    window: Colour = (255, 216, 120) if frame.light.dark else (150, 196, 226)
    frame.box(0.24, 0.78, 0.05, 0.14, scale(roof, 0.8))
    frame.box(0, 0.27, 0.44, 0.27, wall)
    frame.polygon([(-0.54, 0.53), (0, 0.92), (0.54, 0.53)], roof)
    frame.box(0, 0.16, 0.085, 0.16, (88, 56, 40))
    for side in (-1, 1):
        frame.box(side * 0.26, 0.33, 0.095, 0.095, (246, 246, 240))
        frame.lamp(side * 0.26, 0.33, 0.03, window)
        frame.canvas.rectangle(*_corners(frame, side * 0.26, 0.33, 0.076), window)


def _corners(frame: _Frame, u: float, v: float, half: float) -> tuple[float, float, float, float]:
    x, y, half = frame.x + u * frame.height, frame.foot - v * frame.height, half * frame.height
    return x - half, y - half, x + half, y + half


def _lighthouse(frame: _Frame, paint: Colour, rng: random.Random) -> None:
    way = rng.choice((-1, 1))
    if frame.light.dark:
        beam = mix((255, 240, 170), frame.light.sky_top, 0.45)
        top = frame.foot - 1.13 * frame.height
        far = frame.x + way * 1.5
        frame.canvas.polygon([(frame.x, top), (far, top - 0.26), (far, top + 0.1)], beam)
    stripe: Colour = (240, 240, 236) if min(paint) < 200 else (190, 60, 52)
    frame.polygon([(-0.2, 0), (0.2, 0), (0.12, 1.05), (-0.12, 1.05)], paint)
    for low, high in ((0.25, 0.42), (0.66, 0.83)):
        left, right = 0.2 - 0.08 * low / 1.05, 0.2 - 0.08 * high / 1.05
        frame.polygon([(-left, low), (left, low), (right, high), (-right, high)], stripe)
    frame.box(0, 0.08, 0.055, 0.08, (70, 50, 42))
    frame.box(0, 1.06, 0.165, 0.022, (60, 62, 70))
    frame.box(0, 1.13, 0.088, 0.06, (255, 246, 190))
    frame.lamp(0, 1.13, 0.055, (255, 246, 190))
    frame.polygon([(-0.125, 1.18), (0.125, 1.18), (0, 1.31)], (170, 46, 44) if min(paint) > 60 else (60, 62, 70))


_DRAW: dict[str, Callable[[_Frame, Colour, random.Random], None]] = {
    "detective": _detective,
    "woman": _woman,
    "robot": _robot,
    "car": _car,
    "house": _house,
    "lighthouse": _lighthouse,
}
_PERSONS = ("detective", "woman", "robot")
_RELATIVE_HEIGHT = {"car": 0.92, "house": 0.86, "lighthouse": 0.98}
"""Things are not drawn to scale with people, but so that each fills its share of the picture."""


def draw_subject(canvas: Canvas, scene: Scene, light: Light, rng: random.Random) -> None:
    """The scene's subject with its shadow; nothing when there is none."""
    if scene.subject == "none":
        return
    sizes = _FOOT_AND_HEIGHT if scene.subject in _PERSONS else _THING_FOOT_AND_HEIGHT
    foot, height = sizes[scene.distance]
    height *= _RELATIVE_HEIGHT.get(scene.subject, 1.0) * rng.uniform(0.94, 1.06)
    x = _CENTRE[scene.position] + rng.uniform(-0.04, 0.04)
    if light.dark:  # a pool of lamplight, so that a black coat does not drown in a black night
        canvas.glow(x, foot - height * 0.45, height * 0.8, (214, 190, 140), 0.42)
    shadow = light.on((60, 60, 66), 0.7)
    canvas.ellipse(x, foot, height * 0.3, height * 0.035, shadow)
    _DRAW[scene.subject](_Frame(canvas, light, x, foot, height), COLOURS[scene.colour], rng)
