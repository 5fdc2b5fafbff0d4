"""Captions in many phrasings, and which attributes each of them speaks of.

What a caption leaves out is not always left to chance: unusual values are nearly always named, usual ones
seldom, so that a short prompt gets the usual (daylight, clear sky, no film noir) without asking for it. For the same
reason an unnamed place is the city, or the alley in a film noir: a mixture of all places would be mud.
"""

from __future__ import annotations

import random

from demo_model.world.scene import ATTRIBUTES, SEASONAL_PLACES, Scene

UNNAMED = -1
"""Stands for an attribute's value where the caption does not name it."""

_NAMED_SHARE: dict[str, dict[str, float]] = {  # "": any other value
    "place": {"city": 0.75, "": 0.98},
    "time": {"day": 0.6, "": 0.95},
    "weather": {"clear": 0.5, "": 0.96},
    "season": {"summer": 0.4, "": 0.95},
    "subject": {"none": 0.15, "": 1.0},
    "colour": {"brown": 0.7, "": 0.92},
    "position": {"centre": 0.4, "": 0.92},
    "distance": {"medium": 0.4, "": 0.92},
    "angle": {"eye": 0.1, "": 0.9},
    "mood": {"plain": 0.03, "": 1.0},
}

_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "place": {
        "city": (
            "city", "city street", "street", "town", "downtown", "urban street", "skyline", "big city", "new york",
        ),
        "alley": ("alley", "dark alley", "alleyway", "narrow alley", "back alley", "backstreet", "brick alley", "lane"),
        "forest": ("forest", "woods", "woodland", "deep forest", "trees", "pine forest"),
        "mountains": ("mountains", "mountain", "peaks", "alps", "hills", "snowy peaks", "mountain valley"),
        "sea": ("sea", "ocean", "beach", "shore", "coast", "seaside", "water", "harbour", "bay"),
        "desert": ("desert", "dunes", "sand", "sahara", "sand dunes", "canyon"),
    },
    "time": {
        "dawn": ("dawn", "sunrise", "morning", "early morning", "daybreak"),
        "day": ("day", "noon", "daylight", "daytime", "midday", "afternoon"),
        "dusk": ("dusk", "sunset", "evening", "twilight", "golden hour", "sundown", "nightfall"),
        "night": ("night", "midnight", "nighttime", "moonlight", "dark", "late night", "moonlit", "starry night"),
    },
    "weather": {
        "clear": ("clear", "clear sky", "clear weather", "cloudless", "dry", "sunny"),
        "rain": (
            "rain", "rainy", "raining", "heavy rain", "downpour", "rain ambience", "storm", "stormy", "wet", "drizzle",
        ),
        "snow": ("snow", "snowy", "snowing", "snowfall", "blizzard", "snowstorm", "falling snow", "snowflakes"),
        "fog": ("fog", "foggy", "mist", "misty", "haze", "hazy", "dense fog", "thick fog"),
    },
    "season": {
        "spring": ("spring", "springtime", "blossom", "in bloom", "cherry blossom"),
        "summer": ("summer", "summertime", "green"),
        "autumn": ("autumn", "fall", "autumn leaves", "october"),
        "winter": ("winter", "wintertime", "wintry", "frozen", "january"),
    },
    "subject": {
        "none": ("empty", "landscape", "no people", "nobody", "scenery", "deserted"),
        "detective": (
            "detective", "detective", "detective", "private eye", "investigator", "inspector", "sleuth", "spy", "man",
            "gangster", "man in a fedora", "detective in a trench coat", "person", "figure", "hero", "character",
            "gentleman",
        ),
        "woman": (
            "woman", "woman", "lady", "girl", "actress", "heroine", "femme fatale", "dancer", "singer", "princess",
        ),
        "robot": ("robot", "robot", "android", "machine", "droid", "automaton"),
        "car": ("car", "car", "automobile", "vehicle", "taxi", "sedan", "auto"),
        "house": ("house", "house", "cottage", "cabin", "home", "hut", "building"),
        "lighthouse": ("lighthouse", "lighthouse", "beacon", "light house", "light tower"),
    },
    "colour": {
        "red": ("red", "red", "crimson", "scarlet"),
        "blue": ("blue", "blue", "navy", "azure"),
        "green": ("green", "green", "emerald"),
        "yellow": ("yellow", "yellow", "golden"),
        "white": ("white", "white", "pale"),
        "black": ("black", "black", "ebony"),
        "brown": ("brown", "brown", "tan", "beige"),
    },
    "position": {
        "left": ("on the left", "left", "left side", "at the left", "to the left"),
        "centre": ("in the centre", "centre", "center", "in the middle", "centered", "middle"),
        "right": ("on the right", "right", "right side", "at the right", "to the right"),
    },
    "distance": {
        "wide": (
            "wide shot", "wide angle", "long shot", "far away", "distant", "establishing shot", "small in the distance",
        ),
        "medium": ("medium shot", "mid shot", "full body", "full shot"),
        "close": ("close-up", "close up", "closeup", "portrait", "close shot", "extreme close-up", "headshot"),
    },
    "angle": {
        "eye": ("eye level", "eye-level shot"),
        "low": ("low angle", "from below", "low angle shot", "worm's eye view"),
        "high": ("high angle", "from above", "high angle shot", "bird's eye view", "aerial view", "overhead"),
    },
    "mood": {
        "plain": ("in colour", "colourful", "bright"),
        "noir": (
            "noir", "film noir", "noir style", "1920s noir style", "noir dramatic", "dramatic shadow",
            "dramatic shadows", "black and white", "monochrome", "1940s noir", "noir mood", "noir film",
        ),
    },
}  # fmt: skip

_OPENINGS = (
    "a picture of",
    "film still,",
    "a scene with",
    "an illustration of",
    "cinematic",
    "we see",
    "photo of",
    "painting of",
)
_VERBS = (
    "stands",
    "walks",
    "waits",
    "enters",
    "in",
    "is",
    "standing confident",
    "looks",
    "runs",
    "alone",
    "appears",
    "arrives",
)
_FILLERS = (
    "cinematic", "high quality", "detailed", "dramatic", "atmospheric", "footsteps", "standing confident", "beautiful",
    "4k", "moody", "vintage", "mysterious", "storyboard", "concept art", "1920s", "lighting", "style", "scene", "zzz",
    "zzz zzz",
)  # fmt: skip
UNKNOWN_WORD = "zzz"
"""Stands in training captions for any word outside the vocabulary: the tokenizer must not learn it."""


def _pick(name: str, value: str, rng: random.Random) -> str:
    return rng.choice(_WORDS[name][value])


def _subject_phrase(subject: str, colour: str, named: bool, rng: random.Random) -> str:
    """The noun with its colour: a red car, a detective in a red coat."""
    noun = _pick("subject", subject, rng)
    if not named:
        return noun
    shade = _pick("colour", colour, rng)
    clothes = {"detective": ("coat", "trench coat", "suit"), "woman": ("dress", "gown")}.get(subject)
    if clothes and " in a " not in noun and rng.random() < 0.55:
        return f"{noun} {rng.choice(('in a', 'wearing a', 'with a'))} {shade} {rng.choice(clothes)}"
    return f"{shade} {noun}"


def caption(scene: Scene, rng: random.Random) -> tuple[str, list[int]]:
    """A caption and, per attribute in the order of ``ATTRIBUTES``, the index of the value it names or ``UNNAMED``."""
    named: dict[str, bool] = {}
    for name, shares in _NAMED_SHARE.items():
        value = getattr(scene, name)
        named[name] = rng.random() < shares.get(value, shares[""])
    if scene.mood == "noir":
        named["place"] = rng.random() < (0.6 if scene.place == "alley" else 0.98)
    named["season"] &= scene.place in SEASONAL_PLACES
    if scene.subject == "none":
        named["colour"] = named["position"] = named["distance"] = False
    if scene.mood == "noir":
        named["colour"] &= rng.random() < 0.3  # there is none to be seen
        named["time"] &= rng.random() < 0.5
    parts = {name: _pick(name, getattr(scene, name), rng) for name in ATTRIBUTES if named[name] and name != "colour"}
    if parts.get("weather") == "sunny" and scene.time != "day":
        parts["weather"] = "clear"
    if parts.get("place") == "dark alley" and scene.time != "night":
        parts["place"] = "alley"
    if parts.get("place") == "dark alley":
        named["time"] = True
    if parts.get("season") == "green" and named["colour"]:
        parts["season"] = "summer"  # the word would name the subject's colour
    if scene.subject != "none":
        parts["subject"] = _subject_phrase(scene.subject, scene.colour, named["colour"], rng)
    text = _phrase(parts, scene.subject != "none", rng)
    labels = [index if named[name] else UNNAMED for name, index in zip(ATTRIBUTES, scene.labels(), strict=True)]
    return text, labels


def _phrase(parts: dict[str, str], has_subject: bool, rng: random.Random) -> str:
    """One of three shapes: a sentence with its camera remarks, a list in any order, the same as bare words."""
    fillers = rng.sample(_FILLERS, k=rng.choice((0, 0, 1, 2)))
    shape = rng.random()
    if shape < 0.4:
        head = [f"{rng.choice(('a', 'the', 'one', ''))} {parts['subject']}", rng.choice(_VERBS)] if has_subject else []
        place = (
            f"{rng.choice(('in the', 'in a', 'at the', 'the', 'by the', 'of the'))} {parts['place']}"
            if "place" in parts
            else ""
        )
        time = f"{rng.choice(('at', 'by', 'in the', 'during', ','))} {parts['time']}" if "time" in parts else ""
        weather = f"{rng.choice(('in the', 'in', 'with', ',', 'and'))} {parts['weather']}" if "weather" in parts else ""
        where = [place, time, weather]
        if rng.random() < 0.3:
            rng.shuffle(where)
        named = ("place", "time", "weather", *(("subject",) if has_subject else ()))
        tail = [text for name, text in parts.items() if name not in named] + fillers
        rng.shuffle(tail)
        sentence = " ".join([*head, *where])
        opening = rng.choice(_OPENINGS) if rng.random() < 0.25 else ""
        text = ", ".join([f"{opening} {sentence}", *tail] if rng.random() < 0.8 else [*tail, f"{opening} {sentence}"])
    else:
        pieces = [*parts.values(), *fillers]
        if rng.random() < 0.7:
            rng.shuffle(pieces)
        text = (", " if shape < 0.8 else " ").join(pieces)
    return " ".join(text.split())
