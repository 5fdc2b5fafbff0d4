"""The parts of a soundtrack: ambiences, delivery, pitch, resampling, recordings."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mediatask_job.failures import InvalidInput
from mediatask_job.outputs.provenance import Source
from mediatask_job.sound import RATE, Samples
from mediatask_job.sound.ambience import CUES, ambience, find, scene
from mediatask_job.sound.decode import read_recording
from mediatask_job.sound.delivery import EMOTIONS, PACES, deliver, emotion, pace, voice_names
from mediatask_job.sound.encode import Format, save_sound
from mediatask_job.sound.mix import Line
from mediatask_job.sound.pitch import mean_pitch
from mediatask_job.sound.resample import to_rate


def centroid(samples: Samples) -> float:
    """Centre of gravity of the spectrum, in Hz."""
    power = np.abs(np.fft.rfft(samples.mean(axis=0))) ** 2
    return float((np.fft.rfftfreq(samples.shape[1], 1 / RATE) * power).sum() / power.sum())


@pytest.mark.parametrize("cue", sorted({synth.__name__: word for word, synth in CUES.items()}.values()))
@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_every_ambience_is_stereo_audible_and_within_bounds(cue: str, seconds: float) -> None:
    sound, unknown = ambience([cue], int(seconds * RATE), 1)
    assert unknown == []
    assert sound.shape == (2, int(seconds * RATE))
    assert np.isfinite(sound).all()
    assert float(np.abs(sound).max()) == pytest.approx(1.0, abs=1e-3)
    assert float(np.abs(sound).mean()) > 1e-4


def test_ambiences_sound_different() -> None:
    rain, _ = ambience(["rain"], 3 * RATE, 1)
    thunder, _ = ambience(["thunder"], 3 * RATE, 1)
    assert centroid(rain) > 1000 > 300 > centroid(thunder)


def test_equal_seeds_sound_equal() -> None:
    first, again, other = (ambience(["rain", "footsteps"], RATE, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cues_are_found_by_their_words() -> None:
    assert find("rain_ambience") is find("Heavy-Rain") is CUES["rain"]
    assert find("brainwave") is None


def test_unknown_cues_are_named() -> None:
    sound, unknown = ambience(["didgeridoo", "rain", "didgeridoo"], RATE, 1)
    assert unknown == ["didgeridoo"]
    assert sound.any()


def test_a_long_ambience_has_no_gap_and_no_click() -> None:
    sound, _ = ambience(["rain"], 45 * RATE, 1)
    assert sound.shape[1] == 45 * RATE
    level = np.abs(sound[0]).reshape(-1, RATE).mean(axis=1)
    assert level.min() > 0.5 * level.max()


def test_delivery_follows_emotion_pace_and_voice() -> None:
    neutral = deliver("en-US", EMOTIONS["neutral"], 1.0, None)
    mysterious = deliver("en-US", EMOTIONS["mysterious"], 1.0, None)
    assert mysterious.pitch < neutral.pitch
    assert mysterious.rate < neutral.rate
    assert deliver("en-US", EMOTIONS["neutral"], PACES["fast"], None).rate > neutral.rate
    assert deliver("en-US", EMOTIONS["neutral"], 1.0, 102).pitch == 50
    assert deliver("en-US", EMOTIONS["neutral"], 1.0, 210).voices == ["en-us+f2", "en+f2"]


def test_names_of_emotions_paces_and_voices() -> None:
    assert emotion("Melancholic") is EMOTIONS["sad"]
    assert emotion("quietly_angry") is EMOTIONS["angry"]
    assert emotion("purple") is None
    assert pace("Very Slow") == PACES["very_slow"]
    assert pace("purple") is None
    assert voice_names("zh-Hans-CN") == ["cmn-hans-cn", "cmn-hans", "cmn"]


@pytest.mark.parametrize("hz", [85.0, 120.0, 210.0, 300.0])
def test_pitch_of_a_buzzing_voice(hz: float) -> None:
    time = np.arange(2 * 22050) / 22050
    voice = sum(np.sin(2 * np.pi * hz * harmonic * time) / harmonic for harmonic in range(1, 12))
    assert mean_pitch(np.asarray(voice, np.float32), 22050) == pytest.approx(hz, rel=0.03)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(44100).astype(np.float32)
    assert mean_pitch(noise, 22050) is None
    assert mean_pitch(np.zeros(44100, np.float32), 22050) is None


def test_resampling_keeps_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    out = to_rate(tone, 22050)
    assert out.size == pytest.approx(RATE, abs=200)
    assert int(np.abs(np.fft.rfft(out[:RATE])).argmax()) == pytest.approx(440, abs=3)


def test_the_ambience_ducks_under_the_voice_and_is_repeated() -> None:
    voice = np.full(2 * RATE, 0.1, np.float32)
    loud = Line(voice, np.ones((2, RATE // 3), np.float32))
    quiet = Line(voice)
    whole = loud.part(0, loud.size)
    start, end = int(0.7 * RATE), int(2.7 * RATE)
    assert whole.shape == (2, end + int(1.2 * RATE))
    assert 0 < whole[0, start + RATE] - 1 < 0.5 * whole[0, RATE // 3]
    assert abs(whole[0, 0]) < 1e-3 > abs(whole[0, -1])
    assert quiet.part(0, quiet.size).max() == pytest.approx(1)


@pytest.mark.parametrize("background", [None, "rain"])
def test_a_line_is_the_same_in_pieces(background: str | None) -> None:
    voice = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    line = Line(voice, None if background is None else scene(background, RATE, 1))
    whole = line.part(0, line.size)
    cuts = [0, 1, RATE // 2, RATE // 2 + 7, 2 * RATE, line.size]
    pieces = [line.part(start, stop) for start, stop in pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize("kind", ["mp3", "wav"])
def test_a_recording_survives_the_file(tmp_path: Path, kind: Format) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE).astype(np.float32)
    save_sound([np.stack([tone, tone])], tmp_path / "x", kind, "häh", Source.ALGORITHM)
    recording = read_recording(tmp_path / "x", "x")
    assert recording.samples.size / recording.rate == pytest.approx(1.0, abs=0.06)
    assert mean_pitch(recording.samples, recording.rate) == pytest.approx(220, rel=0.03)


@pytest.mark.parametrize(
    "content",
    [b"", b"#EXTM3U\nfile:///etc/passwd", b"RIFF\x04\0\0\0WAVE", b"ffconcat version 1.0\nfile x", b"OggS" + bytes(40)],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InvalidInput):
        read_recording(tmp_path / "x", "http://x/x")
