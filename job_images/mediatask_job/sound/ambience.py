"""Sounds of a scene, synthesised: noise shaped by filters, and events scattered over time. Nothing is recorded.

Each generator takes (number of samples, random generator) and gives stereo (2, n) with peaks near 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import RATE, Samples

Generator = np.random.Generator
Synth = Callable[[int, Generator], Samples]

_LOOP_SECONDS = 20
"""Longer ambiences repeat: nobody hears it in noise, and memory stays small."""
_SEAM_SECONDS = 0.5


def _noise(n: int, dice: Generator, shape: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Samples:
    """Stereo noise whose spectrum is `shape(frequency in Hz)`, its channels independent (which sounds wide)."""
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    white = dice.standard_normal((2, n), np.float32)
    return _peaked(np.fft.irfft(np.fft.rfft(white) * shape(np.maximum(frequency, 1.0)), n))


def _peaked(samples: NDArray[Any]) -> Samples:
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    return np.asarray(samples / peak, np.float32)


def _band(low: float, high: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Second-order slopes below `low` and above `high` Hz."""
    return lambda f: 1 / (1 + (low / f) ** 2) / (1 + (f / high) ** 2)


def _swell(n: int, dice: Generator, seconds: float, depth: float) -> Samples:
    """A slow random envelope between 1 - depth and 1."""
    points = max(int(n / RATE / seconds) + 2, 2)
    level = 1 - depth * dice.random(points)
    return np.interp(np.linspace(0, points - 1, n), np.arange(points), level).astype(np.float32)


def _scatter(n: int, at: Sequence[float], make: Callable[[int], Samples], dice: Generator, width: float) -> Samples:
    """Mono events at times in seconds, each with a place of its own between the speakers."""
    out = np.zeros((2, n), np.float32)
    for number, second in enumerate(at):
        start = int(second * RATE)
        event = make(number)[: max(n - start, 0)]
        place = 0.5 + width * (dice.random() - 0.5)
        out[0, start : start + event.size] += event * np.float32(np.cos(place * np.pi / 2))
        out[1, start : start + event.size] += event * np.float32(np.sin(place * np.pi / 2))
    return _peaked(out)


def _decay(n: int, seconds: float) -> Samples:
    return np.exp(-np.arange(n) / (seconds * RATE)).astype(np.float32)


def _random_times(n: int, dice: Generator, every: float) -> list[float]:
    """Times of a Poisson process, one event per `every` seconds on average; the first one comes early."""
    times = [min(0.3 * every, 0.2 * n / RATE) * dice.random()]
    while times[-1] < n / RATE:
        times.append(times[-1] + 0.25 * every + dice.exponential(0.75 * every))
    return times[:-1]


def rain(n: int, dice: Generator) -> Samples:
    drops = _noise(n, dice, _band(900, 6000)) * 0.6
    near = _scatter(
        n,
        _random_times(n, dice, 0.05),
        lambda _: dice.standard_normal(400).astype(np.float32) * _decay(400, 0.0015),
        dice,
        1.0,
    )
    return drops + 0.4 * near


def wind(n: int, dice: Generator) -> Samples:
    return _noise(n, dice, _band(60, 500)) * _swell(n, dice, 1.5, 0.8)


def ocean(n: int, dice: Generator) -> Samples:
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / RATE / 7.0)
    return _noise(n, dice, _band(80, 1800)) * (0.2 + 0.8 * wave).astype(np.float32)


def city(n: int, dice: Generator) -> Samples:
    rumble = _noise(n, dice, _band(40, 250)) * _swell(n, dice, 2.0, 0.5)

    def horn(_: int) -> Samples:
        time = np.arange(int(0.5 * RATE)) / RATE
        tone = np.sin(2 * np.pi * 349 * time) + np.sin(2 * np.pi * 440 * time)
        return (tone * np.hanning(time.size)).astype(np.float32)

    return 0.85 * rumble + 0.08 * _scatter(n, _random_times(n, dice, 6.0), horn, dice, 0.9)


def crowd(n: int, dice: Generator) -> Samples:
    """Speech-like bands that swell independently: murmur without words."""
    bands = (300.0, 520.0, 850.0, 1400.0)
    return _peaked(
        sum(_noise(n, dice, _band(0.8 * f, 1.25 * f)) * _swell(n, dice, 0.25, 0.9) for f in bands)  # type: ignore[arg-type]
    )


def fire(n: int, dice: Generator) -> Samples:
    def crackle(_: int) -> Samples:
        size = int(RATE * (0.003 + 0.012 * dice.random()))
        return dice.standard_normal(size).astype(np.float32) * _decay(size, 0.002) * np.float32(dice.random())

    return 0.25 * _noise(n, dice, _band(60, 400)) + 0.7 * _scatter(n, _random_times(n, dice, 0.08), crackle, dice, 0.8)


def thunder(n: int, dice: Generator) -> Samples:
    def clap(_: int) -> Samples:
        size = int(RATE * 4.0)
        body: Samples = _noise(size, dice, _band(25, 140))[0] * _decay(size, 1.1) * _swell(size, dice, 0.15, 0.7)
        body[:800] *= np.linspace(0, 1, 800, dtype=np.float32)
        return body

    return _scatter(n, _random_times(n, dice, 7.0), clap, dice, 0.7)


def footsteps(n: int, dice: Generator) -> Samples:
    def step(number: int) -> Samples:
        size = int(0.16 * RATE)
        time = np.arange(size) / RATE
        heel = np.sin(2 * np.pi * (78 + 8 * (number % 2)) * time) * _decay(size, 0.03)
        sole = np.convolve(dice.standard_normal(size), np.full(12, 1 / 12), "same") * _decay(size, 0.012)
        return (0.8 * heel + 0.9 * sole).astype(np.float32)

    times = np.arange(0.25, n / RATE, 0.58)
    return _scatter(n, list(times + dice.uniform(-0.02, 0.02, times.size)), step, dice, 0.35)


def heartbeat(n: int, dice: Generator) -> Samples:
    def beat(number: int) -> Samples:
        size = int(0.2 * RATE)
        tone = np.sin(2 * np.pi * (52 if number % 2 else 60) * np.arange(size) / RATE)
        return (tone * _decay(size, 0.045)).astype(np.float32)

    times = [start + offset for start in np.arange(0.1, n / RATE, 0.9) for offset in (0.0, 0.28)]
    return _scatter(n, times, beat, dice, 0.0)


def clock(n: int, dice: Generator) -> Samples:
    def tick(number: int) -> Samples:
        size = int(0.03 * RATE)
        tone = np.sin(2 * np.pi * (2600 if number % 2 else 2100) * np.arange(size) / RATE)
        return (tone * _decay(size, 0.004)).astype(np.float32)

    return _scatter(n, list(np.arange(0.1, n / RATE, 0.5)), tick, dice, 0.0)


def birds(n: int, dice: Generator) -> Samples:
    def chirp(_: int) -> Samples:
        size = int(RATE * (0.08 + 0.12 * dice.random()))
        base = 2500 + 2500 * dice.random()
        pitch = base + 600 * np.sin(2 * np.pi * (8 + 14 * dice.random()) * np.arange(size) / RATE)
        return (np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.hanning(size)).astype(np.float32)

    return _scatter(n, _random_times(n, dice, 0.5), chirp, dice, 1.0) + 0.03 * _noise(n, dice, _band(200, 3000))


def crickets(n: int, dice: Generator) -> Samples:
    time = np.arange(n) / RATE
    out = np.stack(
        [
            np.sin(2 * np.pi * pitch * time)
            * np.clip(np.sin(2 * np.pi * 28 * time), 0, 1)
            * (np.sin(2 * np.pi * rate * time + dice.uniform(0, 6)) > 0.2)
            for pitch, rate in ((4300, 1.3), (4650, 1.7))
        ]
    )
    return _peaked(out) * 0.5


def siren(n: int, dice: Generator) -> Samples:
    time = np.arange(n) / RATE
    pitch = 650 + 250 * np.sin(2 * np.pi * time / 3.5 + dice.uniform(0, 6))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / RATE).astype(np.float32) * _swell(n, dice, 4.0, 0.6)
    return np.stack([tone, tone * np.float32(0.7)])


# Words of a cue, most telling first: `rain_ambience`, `heavy_rain` and `rain_on_window` are all rain.
CUES: dict[str, Synth] = {
    "footsteps": footsteps, "footstep": footsteps, "steps": footsteps, "walking": footsteps,
    "thunder": thunder, "storm": thunder, "lightning": thunder,
    "rain": rain, "drizzle": rain, "downpour": rain,
    "wind": wind, "breeze": wind, "gust": wind, "blizzard": wind,
    "ocean": ocean, "waves": ocean, "sea": ocean, "surf": ocean, "beach": ocean,
    "traffic": city, "city": city, "street": city, "cars": city, "urban": city,
    "crowd": crowd, "murmur": crowd, "chatter": crowd, "cafe": crowd, "bar": crowd,
    "fire": fire, "fireplace": fire, "campfire": fire, "crackling": fire,
    "heartbeat": heartbeat, "heart": heartbeat,
    "clock": clock, "ticking": clock,
    "birds": birds, "birdsong": birds, "forest": birds, "morning": birds,
    "crickets": crickets, "insects": crickets, "night": crickets,
    "siren": siren, "police": siren, "ambulance": siren,
}  # fmt: skip


def find(cue: str) -> Synth | None:
    """The generator for a cue, by the words in it; None for a sound that is not known."""
    words = re.findall(r"[a-z]+", cue.lower())
    return next((synth for word, synth in CUES.items() if word in words), None)


def ambience(cues: Sequence[str], samples: int, seed: int) -> tuple[Samples, list[str]]:
    """The cues' sounds together as stereo (2, samples), peak at most 1, and the cues that are not known."""
    out = np.zeros((2, samples), np.float32)
    unknown: list[str] = []
    for number, cue in enumerate(dict.fromkeys(cues)):
        synth = find(cue)
        if synth is None:
            unknown.append(cue)
            continue
        piece = _seamless(synth, samples, np.random.default_rng([seed, number]))
        out += np.tile(piece, -(-samples // piece.shape[1]))[:, :samples]
    return _peaked(out) if out.any() else out, unknown


def scene(cue: str, samples: int, seed: int) -> Samples | None:
    """One cue's sound as stereo (2, n), peak 1, to be repeated where it is shorter; None for one that is not known."""
    synth = find(cue)
    return None if synth is None else _peaked(_seamless(synth, samples, np.random.default_rng([seed, 0])))


def _seamless(synth: Synth, samples: int, dice: Generator) -> Samples:
    """`samples` of a generator; where that is long, a loop whose end is faded into its start."""
    loop, seam = _LOOP_SECONDS * RATE, int(_SEAM_SECONDS * RATE)
    if samples <= loop:
        return synth(samples, dice)
    piece = synth(loop + seam, dice)
    fade = np.linspace(0, 1, seam, dtype=np.float32)
    piece[:, :seam] = piece[:, :seam] * fade + piece[:, loop:] * (1 - fade)
    return piece[:, :loop]
