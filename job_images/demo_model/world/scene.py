"""What a picture of the demo world is: a handful of named attributes, drawn from one distribution."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

PLACES = ("city", "alley", "forest", "mountains", "sea", "desert")
TIMES = ("dawn", "day", "dusk", "night")
WEATHERS = ("clear", "rain", "snow", "fog")
SEASONS = ("spring", "summer", "autumn", "winter")
SUBJECTS = ("none", "detective", "woman", "robot", "car", "house", "lighthouse")
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown")
POSITIONS = ("left", "centre", "right")
DISTANCES = ("wide", "medium", "close")
ANGLES = ("eye", "low", "high")
MOODS = ("plain", "noir")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "place": PLACES,
    "time": TIMES,
    "weather": WEATHERS,
    "season": SEASONS,
    "subject": SUBJECTS,
    "colour": COLOURS,
    "position": POSITIONS,
    "distance": DISTANCES,
    "angle": ANGLES,
    "mood": MOODS,
}

SEASONAL_PLACES = ("forest", "mountains")
"""Elsewhere nothing grows that could show a season, so captions do not speak of one."""

HELD_OUT_SHARE = 10
"""One in this many combinations is never drawn for training."""


@dataclass(frozen=True)
class Scene:
    """One value per attribute; ``seed`` decides everything else (where each tree stands, each rain drop)."""

    place: str
    time: str
    weather: str
    season: str
    subject: str
    colour: str
    position: str
    distance: str
    angle: str
    mood: str
    seed: int

    def labels(self) -> list[int]:
        """Index of each attribute's value, in the order of ``ATTRIBUTES``."""
        return [values.index(getattr(self, name)) for name, values in ATTRIBUTES.items()]

    @property
    def held_out(self) -> bool:
        """Whether this combination of what the prompt can ask for is kept away from training."""
        key = "|".join((self.place, self.time, self.weather, self.subject, self.colour))
        return zlib.crc32(key.encode()) % HELD_OUT_SHARE == 0


def sample_scene(rng: random.Random) -> Scene:
    """A scene with independent attributes, but for what would contradict itself (see the comments)."""
    subject = rng.choices(SUBJECTS, weights=(2, 4, 3, 2, 3, 3, 3))[0]
    # A noir picture has no colours: only light against dark tells its hour, so noir is always night.
    mood = "noir" if rng.random() < 0.14 else "plain"
    colour = rng.choice(COLOURS)
    if subject == "detective" and rng.random() < 0.35:
        colour = "brown"  # the trench coat one expects when no colour is asked for
    return Scene(
        place=rng.choice(PLACES),
        time="night" if mood == "noir" else rng.choice(TIMES),
        weather=rng.choice(WEATHERS),
        season=rng.choices(SEASONS, weights=(1, 2, 1, 1))[0],
        subject=subject,
        colour=colour,
        position=rng.choices(POSITIONS, weights=(1, 2, 1))[0],
        distance=rng.choices(DISTANCES, weights=(2, 4, 2))[0],
        angle=rng.choices(ANGLES, weights=(4, 1, 1))[0],
        mood=mood,
        seed=rng.getrandbits(32),
    )


def training_scene(index: int) -> Scene:
    """The ``index``-th training scene; never a held-out one."""
    rng = random.Random(f"train-{index}")
    while (scene := sample_scene(rng)).held_out:
        pass
    return scene


def held_out_scene(index: int) -> Scene:
    """The ``index``-th scene of a combination that training never showed."""
    rng = random.Random(f"held-out-{index}")
    while not (scene := sample_scene(rng)).held_out:
        pass
    return scene
