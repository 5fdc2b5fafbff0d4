"""The backgrounds, one function per place. Each draws what stands behind the subject, from the sky down."""

from __future__ import annotations

import random
from collections.abc import Callable

from demo_model.world.canvas import Canvas, Colour, mix
from demo_model.world.light import Light
from demo_model.world.scene import Scene

HORIZON = {"eye": 0.62, "low": 0.76, "high": 0.46}
"""Height of the horizon for each camera angle: a camera near the ground sees much sky."""

_LAMP: Colour = (255, 214, 120)
_SNOW: Colour = (236, 241, 250)
_MEADOW: dict[str, Colour] = {
    "spring": (124, 190, 84),
    "summer": (72, 142, 62),
    "autumn": (178, 138, 62),
    "winter": _SNOW,
}
_FOLIAGE: dict[str, tuple[Colour, ...]] = {
    "spring": ((246, 168, 196), (140, 200, 100)),
    "summer": ((34, 110, 56), (52, 132, 60)),
    "autumn": ((222, 112, 36), (196, 70, 40)),
    "winter": ((196, 212, 226), (224, 234, 244)),
}


def _whitened(colour: Colour, scene: Scene) -> Colour:
    """The ground's colour, under snow when it snows."""
    return mix(colour, _SNOW, 0.78) if scene.weather == "snow" else colour


def _sky(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    canvas.gradient(0, horizon + 0.03, light.sky_top, light.sky_bottom)
    x = rng.uniform(0.12, 0.88)
    hidden = scene.weather in ("rain", "snow", "fog")
    if scene.time == "night":
        if not hidden:
            for _ in range(36):
                canvas.ellipse(rng.random(), rng.uniform(0, horizon), 0.003, 0.003, (225, 228, 245))
        canvas.glow(x, 0.15, 0.16, (150, 165, 215), 0.25 if hidden else 0.6)
        if not hidden:
            canvas.ellipse(x, 0.15, 0.05, 0.05, (240, 240, 222))
            canvas.ellipse(x + 0.022, 0.138, 0.042, 0.042, mix(light.sky_top, (150, 165, 215), 0.3))
        return
    height = 0.14 if scene.time == "day" else horizon - 0.07
    sun: Colour = (255, 246, 205) if scene.time != "dusk" else (255, 190, 90)
    canvas.glow(x, height, 0.3, sun, 0.3 if hidden else 0.75)
    if not hidden:
        canvas.ellipse(x, height, 0.055, 0.055, sun)
        if scene.time == "day":
            for _ in range(3):
                cloud_x, cloud_y = rng.random(), rng.uniform(0.06, horizon * 0.6)
                for step in range(4):
                    canvas.ellipse(cloud_x + step * 0.04, cloud_y - 0.012 * (step % 2), 0.045, 0.022, (250, 252, 255))


def _city(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    lit = 0.55 if light.dark else 0.2
    for lowest, highest, haze in ((0.14, 0.36, 0.45), (0.02, 0.26, 0.0)):
        x = -0.03
        while x < 1:
            width = rng.uniform(0.11, 0.2)
            top = horizon - 0.1 - rng.uniform(lowest, highest)
            wall = mix(light.on(rng.choice(((92, 98, 116), (120, 100, 96), (84, 92, 122)))), light.sky_bottom, haze)
            canvas.rectangle(x, top, x + width - 0.006, 1, wall)
            if scene.weather == "snow":
                canvas.rectangle(x, top - 0.012, x + width - 0.006, top, light.on(_SNOW))
            if not haze:
                for row in range(int((horizon + 0.06 - top) / 0.055)):
                    for column in range(int((width - 0.03) / 0.04)):
                        window: Colour = _LAMP if rng.random() < lit else mix(wall, light.sky_top, 0.5)
                        left, upper = x + 0.018 + column * 0.04, top + 0.025 + row * 0.055
                        canvas.rectangle(left, upper, left + 0.02, upper + 0.03, window)
            x += width
    road = _whitened((76, 78, 86), scene)
    canvas.rectangle(0, horizon + 0.1, 1, 1, light.on(_whitened((132, 130, 128), scene)))
    canvas.rectangle(0, horizon + 0.15, 1, 1, light.on(road))
    for step in range(-1, 6):
        canvas.rectangle(step * 0.2, 0.93, step * 0.2 + 0.1, 0.945, light.on((214, 206, 170)))


def _alley(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    centre, far = rng.uniform(0.44, 0.56), 0.13
    canvas.rectangle(0, horizon, 1, 1, light.on(_whitened((84, 82, 84), scene)))
    canvas.polygon(
        [(centre - far, horizon), (centre + far, horizon), (1.2, 1), (-0.2, 1)],
        light.on(_whitened((106, 102, 100), scene)),
    )
    brick: Colour = (136, 78, 62)
    for side in (-1, 1):
        edge, near = centre + side * far, (0.0 if side < 0 else 1.0)
        outer = near + side * 0.02
        shade = 0.78 if side < 0 else 1.0
        top = horizon * 0.18
        canvas.polygon([(edge, top), (outer, -0.4), (outer, 1.02), (edge, horizon + 0.03)], light.on(brick, shade))
        for row in range(1, 14):
            share = row / 14
            inner_y, outer_y = top + (horizon + 0.03 - top) * share, -0.4 + 1.42 * share
            canvas.line([(edge, inner_y), (outer, outer_y)], 0.005, light.on(brick, shade * 0.76))
        for _ in range(3):  # windows, narrower the further away they are
            share = rng.uniform(0.3, 0.8)
            x = edge + (outer - edge) * share
            y, height, width = rng.uniform(0.08, 0.36), 0.05 + 0.09 * share, 0.02 + 0.05 * share
            window = _LAMP if rng.random() < (0.6 if light.dark else 0.15) else light.on((62, 70, 92))
            canvas.polygon(
                [(x, y), (x + side * width, y - 0.015), (x + side * width, y + height + 0.01), (x, y + height)], window
            )
    lamp = rng.choice((-1, 1))
    x, y = centre + lamp * (far + 0.06), horizon * 0.42
    canvas.line([(x + lamp * 0.05, y - 0.02), (x, y - 0.02)], 0.012, light.on((40, 40, 46)))
    if light.dark:
        canvas.glow(x, y, 0.32, _LAMP, 0.85)
        canvas.glow(centre, min(0.97, horizon + 0.2), 0.3, _LAMP, 0.35)
    canvas.ellipse(x, y, 0.02, 0.024, (255, 240, 190) if light.dark else (226, 222, 204))


def _forest(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    ground = _whitened(_MEADOW[scene.season], scene)
    for depth, (haze, height, count) in enumerate(((0.45, 0.24, 14), (0.15, 0.36, 9))):
        base = horizon + 0.02 + depth * 0.07
        canvas.rectangle(0, base - 0.01, 1, 1, mix(light.on(ground, 0.9 - 0.1 * depth), light.sky_bottom, haze * 0.6))
        for number in range(count):
            x = (number + rng.uniform(0.1, 0.9)) / count
            tall = height * rng.uniform(0.8, 1.25)
            leaf = mix(light.on(rng.choice(_FOLIAGE[scene.season]), rng.uniform(0.8, 1.05)), light.sky_bottom, haze)
            trunk = mix(light.on((92, 66, 46)), light.sky_bottom, haze)
            canvas.rectangle(x - 0.012, base - tall * 0.3, x + 0.012, base + 0.01, trunk)
            if scene.season in ("spring", "autumn"):
                for _ in range(3):
                    canvas.ellipse(
                        x + rng.uniform(-0.03, 0.03),
                        base - tall * rng.uniform(0.45, 0.8),
                        tall * 0.24,
                        tall * 0.24,
                        leaf,
                    )
            else:
                for level in range(3):
                    low = base - tall * (0.16 + 0.24 * level)
                    half = tall * (0.27 - 0.06 * level)
                    canvas.polygon([(x - half, low), (x, low - tall * 0.42), (x + half, low)], leaf)
                if scene.weather == "snow":
                    canvas.polygon(
                        [(x - 0.03, base - tall * 0.88), (x, base - tall * 1.06), (x + 0.03, base - tall * 0.88)],
                        light.on(_SNOW),
                    )
    canvas.gradient(horizon + 0.13, 1, light.on(ground, 0.86), light.on(ground, 1.04))


def _mountains(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    for rock, haze, low, high in (((118, 128, 156), 0.5, 0.24, 0.44), ((96, 100, 118), 0.12, 0.1, 0.3)):
        body, snow = mix(light.on(rock), light.sky_bottom, haze), mix(light.on(_SNOW), light.sky_bottom, haze * 0.7)
        dark_side = mix(light.on(rock, 0.72), light.sky_bottom, haze)
        x = rng.uniform(-0.15, 0.05)
        while x < 1.15:
            tall, half = rng.uniform(low, high), rng.uniform(0.2, 0.3)
            top, base = horizon - tall, horizon + 0.05
            canvas.polygon([(x - half, base), (x, top), (x + half, base)], body)
            canvas.polygon([(x, top), (x + half, base), (x + half * 0.2, base)], dark_side)
            cap = 0.3 if scene.season != "winter" else 0.55
            canvas.polygon(
                [
                    (x, top),
                    (x + half * cap, top + tall * cap),
                    (x + half * cap * 0.3, top + tall * cap * 0.75),
                    (x, top + tall * cap),
                    (x - half * cap * 0.4, top + tall * cap * 0.7),
                    (x - half * cap, top + tall * cap),
                ],
                snow,
            )
            x += rng.uniform(0.2, 0.34)
    ground = _whitened(_MEADOW[scene.season], scene)
    canvas.gradient(horizon + 0.03, 1, light.on(ground, 0.8), light.on(ground, 1.04))


def _sea(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    water: Colour = (26, 108, 158)
    canvas.gradient(horizon, 0.9, mix(light.on(water), light.sky_bottom, 0.35), light.on(water, 0.85))
    shore = max(0.8, horizon + 0.1)
    for _ in range(26):
        y, x = rng.uniform(horizon + 0.015, shore), rng.random()
        length = 0.03 + 0.12 * (y - horizon) / (shore - horizon)
        canvas.line([(x, y), (x + length, y)], 0.005, mix(light.on((150, 205, 225)), light.sky_bottom, 0.2))
    canvas.polygon(
        [(0, shore + 0.03), (0.3, shore), (0.7, shore + 0.035), (1, shore), (1, 1), (0, 1)], light.on((240, 244, 246))
    )
    canvas.polygon(
        [(0, shore + 0.05), (0.3, shore + 0.02), (0.7, shore + 0.055), (1, shore + 0.02), (1, 1), (0, 1)],
        light.on(_whitened((226, 202, 150), scene)),
    )


def _desert(canvas: Canvas, scene: Scene, light: Light, rng: random.Random, horizon: float) -> None:
    sand = _whitened((228, 178, 104), scene)
    mesa = mix(light.on((184, 104, 72)), light.sky_bottom, 0.25)
    x = rng.uniform(0.05, 0.75)
    canvas.polygon(
        [(x - 0.05, horizon + 0.03), (x, horizon - 0.17), (x + 0.2, horizon - 0.17), (x + 0.26, horizon + 0.03)], mesa
    )
    canvas.rectangle(0, horizon, 1, 1, light.on(sand, 0.86))
    for depth in range(3):
        crest, y = rng.random(), horizon + 0.04 + depth * 0.11
        canvas.polygon(
            [(-0.3, y + 0.12), (crest, y - 0.05), (1.3, y + 0.12), (1.3, 1.1), (-0.3, 1.1)],
            light.on(sand, 0.9 + 0.06 * depth),
        )
        canvas.polygon(
            [(crest, y - 0.05), (1.3, y + 0.12), (crest + 0.12, y + 0.12)], light.on(sand, 0.76 + 0.05 * depth)
        )
    for _ in range(3):
        x, y, tall = rng.random(), horizon + rng.uniform(0.05, 0.16), rng.uniform(0.1, 0.17)
        green = light.on((62, 118, 70))
        canvas.line([(x, y), (x, y - tall)], 0.026, green)
        canvas.line([(x - 0.036, y - tall * 0.78), (x - 0.036, y - tall * 0.45), (x, y - tall * 0.45)], 0.016, green)
        canvas.line([(x + 0.036, y - tall * 0.9), (x + 0.036, y - tall * 0.58), (x, y - tall * 0.58)], 0.016, green)


_DRAW: dict[str, Callable[[Canvas, Scene, Light, random.Random, float], None]] = {
    "city": _city,
    "alley": _alley,
    "forest": _forest,
    "mountains": _mountains,
    "sea": _sea,
    "desert": _desert,
}


def draw_place(canvas: Canvas, scene: Scene, light: Light, rng: random.Random) -> None:
    """Sky and background of the scene."""
    horizon = HORIZON[scene.angle]
    _sky(canvas, scene, light, rng, horizon)
    _DRAW[scene.place](canvas, scene, light, rng, horizon)
