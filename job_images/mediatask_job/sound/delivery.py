"""How a line is spoken: emotion, pace and a voice's pitch as settings of the synthesiser. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_WORDS_PER_MINUTE = 165
_RATES = (80, 450)
_PITCHES = (0, 99)
_NORMAL_PITCH = 50.0

_FEMALE_FROM_HZ = 165.0
_FEMALE = "+f2"

# Mean pitch in Hz that the synthesiser speaks with at pitch settings 0, 25, 50, 75, 99, measured on en-us; de is
# within 3 Hz of it.
_SETTINGS = (0, 25, 50, 75, 99)
_MALE_HZ = (75, 84, 102, 131, 171)
_FEMALE_HZ = (130, 157, 195, 251, 324)


@dataclass(frozen=True)
class Emotion:
    """Changes against a neutral voice."""

    pitch: int = 0
    """Steps of the synthesiser's 0..99."""
    range: int = 50
    """Melody: 0 is monotone, 50 normal, 99 lively."""
    pace: float = 1.0
    volume: int = 100
    """Of 200; it changes the timbre of plosives, for the mix is normalised."""


NEUTRAL = Emotion()

EMOTIONS: dict[str, Emotion] = {
    "neutral": NEUTRAL,
    "mysterious": Emotion(pitch=-14, range=30, pace=0.84, volume=85),
    "happy": Emotion(pitch=12, range=80, pace=1.08, volume=110),
    "excited": Emotion(pitch=18, range=95, pace=1.2, volume=125),
    "sad": Emotion(pitch=-12, range=22, pace=0.78, volume=80),
    "angry": Emotion(pitch=4, range=75, pace=1.14, volume=140),
    "fearful": Emotion(pitch=20, range=65, pace=1.22, volume=95),
    "surprised": Emotion(pitch=18, range=95, pace=1.05, volume=115),
    "calm": Emotion(pitch=-5, range=38, pace=0.88, volume=90),
    "confident": Emotion(pitch=-5, range=58, pace=0.98, volume=120),
    "serious": Emotion(pitch=-9, range=36, pace=0.92, volume=105),
    "tender": Emotion(pitch=3, range=44, pace=0.86, volume=80),
    "tense": Emotion(pitch=7, range=30, pace=1.1, volume=105),
    "whispering": Emotion(pitch=-4, range=20, pace=0.86, volume=50),
}

_SAME_EMOTION = {
    "joyful": "happy", "cheerful": "happy", "enthusiastic": "excited", "melancholic": "sad", "sorrowful": "sad",
    "furious": "angry", "afraid": "fearful", "scared": "fearful", "shocked": "surprised", "relaxed": "calm",
    "determined": "confident", "grave": "serious", "romantic": "tender", "loving": "tender", "nervous": "tense",
    "suspenseful": "tense", "ominous": "mysterious", "menacing": "mysterious", "whisper": "whispering",
    "whispered": "whispering",
}  # fmt: skip

PACES: dict[str, float] = {"very_slow": 0.6, "slow": 0.8, "normal": 1.0, "fast": 1.25, "very_fast": 1.55}

# Languages whose synthesiser voice has another name than the tag.
_VOICES = {"zh": "cmn", "nn": "nb", "no": "nb"}


@dataclass(frozen=True)
class Delivery:
    """Settings of the synthesiser."""

    voices: list[str]
    """Voice names, the best first."""
    rate: int
    """Words per minute."""
    pitch: int
    range: int
    volume: int


def emotion(name: str | None) -> Emotion | None:
    """An emotion by name, also inside a phrase (`quietly_sad`); None for one that is not known."""
    if name is None:
        return NEUTRAL
    for word in re.findall(r"[a-z]+", name.lower()):
        word = _SAME_EMOTION.get(word, word)
        if word in EMOTIONS:
            return EMOTIONS[word]
    return None


def pace(name: str | None) -> float | None:
    """A pace's factor; None for one that is not known."""
    return 1.0 if name is None else PACES.get(name.lower().replace("-", "_").replace(" ", "_"))


def deliver(language: str, feeling: Emotion, speed: float, voice_hz: float | None) -> Delivery:
    """Put it all together; `voice_hz` is the mean pitch of the voice to follow."""
    female = voice_hz is not None and voice_hz >= _FEMALE_FROM_HZ
    measured = _FEMALE_HZ if female else _MALE_HZ
    pitch = _NORMAL_PITCH if voice_hz is None else float(np.interp(voice_hz, measured, _SETTINGS))
    return Delivery(
        voices=[name + (_FEMALE if female else "") for name in voice_names(language)],
        rate=_within(_WORDS_PER_MINUTE * feeling.pace * speed, _RATES),
        pitch=_within(pitch + feeling.pitch, _PITCHES),
        range=feeling.range,
        volume=feeling.volume,
    )


def voice_names(language: str) -> list[str]:
    """Synthesiser voices for a BCP 47 tag, from exact to general."""
    parts = language.lower().split("-")
    parts[0] = _VOICES.get(parts[0], parts[0])
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _within(value: float, bounds: tuple[int, int]) -> int:
    return int(min(max(round(value), bounds[0]), bounds[1]))
