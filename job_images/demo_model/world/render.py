"""A scene's picture: place, subject, then weather and mood over both."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from demo_model.world.canvas import Canvas, Colour, mix
from demo_model.world.light import Light, light_of
from demo_model.world.places import draw_place
from demo_model.world.scene import Scene
from demo_model.world.subjects import draw_subject


def _weather(canvas: Canvas, scene: Scene, light: Light, rng: random.Random) -> None:
    if scene.weather == "rain":
        drop: Colour = mix(light.on((190, 204, 224)), (190, 204, 224), 0.45)
        for _ in range(110):
            x, y, length = rng.uniform(0, 1.1), rng.uniform(-0.1, 1), rng.uniform(0.05, 0.1)
            canvas.line([(x, y), (x - length * 0.3, y + length)], 0.0055, drop)
    elif scene.weather == "snow":
        for _ in range(120):
            radius = rng.uniform(0.006, 0.013)
            canvas.ellipse(
                rng.random(), rng.random(), radius, radius, mix(light.on((250, 251, 255)), (250, 251, 255), 0.7)
            )
    elif scene.weather == "fog":
        canvas.veil(mix(light.on((214, 217, 220)), (190, 192, 196), 0.15), 0.36, 0.58)


def _noir(image: Image.Image) -> Image.Image:
    """Black and white film: strong contrast, dark corners, the lamps alone are bright."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    grey = pixels @ np.array([0.36, 0.46, 0.18], dtype=np.float32)
    grey = np.clip(grey * 1.9, 0, 1) ** 0.92
    axis = np.linspace(-1, 1, image.width, dtype=np.float32)
    grey *= 1 - 0.42 * np.clip(axis[:, None] ** 2 + axis[None, :] ** 2, 0, 1.6)
    toned = grey[:, :, None] * np.array([252, 250, 246], dtype=np.float32)
    return Image.fromarray(toned.clip(0, 255).astype(np.uint8))


def render(scene: Scene, size: int = 128, oversampling: int = 4) -> Image.Image:
    """The RGB picture of ``scene``, ``size`` x ``size`` pixels, drawn ``oversampling`` times as large.

    The same scene gives the same content at every size, so pairs of sizes can teach an up-scaler.
    """
    rng = random.Random(scene.seed)
    canvas = Canvas(size * oversampling)
    light = light_of(scene.time, scene.weather)
    draw_place(canvas, scene, light, rng)
    draw_subject(canvas, scene, light, rng)
    _weather(canvas, scene, light, rng)
    image = canvas.reduced(size)
    return _noir(image) if scene.mood == "noir" else image
