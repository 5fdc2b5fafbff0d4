"""Loudness against the test signals of EBU Tech 3341 and the limits of a limiter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mediatask_job.sound import RATE, Samples
from mediatask_job.sound.loudness import levelled, loudness, measured, normalised, true_peak


def tone(dbfs: float, seconds: float, hz: float = 1000.0, phase: float = 0.0) -> Samples:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE + phase)
    return np.stack([wave, wave]).astype(np.float32)


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(-23.0, 20)], -23.0),  # EBU Tech 3341, case 1
        ([(-33.0, 20)], -33.0),  # case 2
        ([(-36.0, 10), (-23.0, 60), (-36.0, 10)], -23.0),  # case 3: the relative gate
        ([(-72.0, 10), (-36.0, 10), (-23.0, 60), (-36.0, 10), (-72.0, 10)], -23.0),  # case 4: the absolute gate
        ([(-26.0, 20), (-20.0, 20.1), (-26.0, 20)], -23.0),  # case 5
    ],
)
def test_ebu_signals(parts: list[tuple[float, float]], lufs: float) -> None:
    signal = np.concatenate([tone(level, seconds) for level, seconds in parts], axis=1)
    assert loudness(signal) == pytest.approx(lufs, abs=0.1)


def test_low_tones_weigh_less() -> None:
    """The K-weighting takes 60 Hz down by 3.6 dB against 1 kHz, and lifts 4 kHz by about 3 dB."""
    middle = loudness(tone(-23, 5))
    assert loudness(tone(-23, 5, 60)) - middle == pytest.approx(-3.6, abs=0.1)
    assert loudness(tone(-23, 5, 4000)) - middle == pytest.approx(3.3, abs=0.2)


def test_silence_has_no_loudness_and_stays_silent() -> None:
    silence = np.zeros((2, RATE), np.float32)
    assert loudness(silence) == -math.inf
    assert true_peak(silence) == -math.inf
    assert not normalised(silence).any()


def test_shorter_than_a_block() -> None:
    assert math.isfinite(loudness(tone(-20, 0.1)))


def test_peaks_between_samples_are_seen() -> None:
    """A quarter of the sample rate at 45 degrees: the samples stay 3 dB below the wave's crest."""
    signal = tone(-6, 1, RATE / 4, math.pi / 4)
    assert 20 * math.log10(float(np.abs(signal).max())) == pytest.approx(-9, abs=0.1)
    # The hard start and end ring a little more.
    assert true_peak(signal[:, 200:-200] * np.hanning(signal.shape[1] - 400)) == pytest.approx(-6, abs=0.2)


@pytest.mark.parametrize("target", [-16.0, -23.0])
def test_speech_like_sound_reaches_its_loudness_without_clipping(target: float) -> None:
    dice = np.random.default_rng(0)
    syllables = np.abs(np.sin(2 * np.pi * 3 * np.arange(6 * RATE) / RATE)) ** 4
    signal = (dice.standard_normal((2, 6 * RATE)) * syllables * 0.01).astype(np.float32)
    out = normalised(signal, target)
    assert loudness(out) == pytest.approx(target, abs=0.3)
    assert true_peak(out) <= -1.3


def test_levels_are_the_same_in_pieces() -> None:
    """Longer than the pieces that are measured at a time, and no multiple of a millisecond."""
    signal = (np.random.default_rng(0).standard_normal((2, 23 * RATE + 11)) * 0.1).astype(np.float32)
    asked: list[tuple[int, int]] = []

    def part(start: int, stop: int) -> Samples:
        asked.append((start, stop))
        return signal[:, start:stop]

    levels = measured(part, signal.shape[1])
    assert len(asked) == 3
    assert max(stop - start for start, stop in asked) < 11 * RATE
    gain = levelled(levels)
    out = np.concatenate([gain.apply(signal[:, at : at + 1000], at) for at in range(0, signal.shape[1], 1000)], axis=1)
    assert np.array_equal(out, gain.apply(signal, 0))
    assert levels.times(gain.steps).loudness == pytest.approx(loudness(out), abs=0.05)
    assert levels.times(gain.steps).true_peak == pytest.approx(true_peak(out), abs=0.3)


def test_a_limiter_that_takes_much_away_is_made_up_for() -> None:
    clicks = np.zeros((2, 10 * RATE), np.float32)
    clicks[:, :: RATE // 10] = 1.0
    clicks += 0.02 * np.random.default_rng(0).standard_normal(clicks.shape).astype(np.float32)
    assert loudness(normalised(clicks)) == pytest.approx(-16, abs=0.5)
