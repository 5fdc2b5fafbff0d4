"""`process_audio` through the job: files decoded again, and looked at."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest

from mediatask_job.sound import RATE, Samples
from mediatask_job.sound.loudness import loudness

LINE = {"text": "I have been expecting you, detective."}


def decoded(content: bytes) -> Samples:
    with av.open(io.BytesIO(content)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        blocks = [block.to_ndarray() for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    return np.concatenate(blocks, axis=1)


def spoken(run: Any, store: Any, **data: Any) -> tuple[bytes, dict[str, Any]]:
    ended = run("process_audio", LINE | data)
    assert ended.code == 0, ended.log
    artifact = store.results[-1]["result"]["artifacts"][0]
    return store.objects[artifact["key"]], store.results[-1]["result"]["metadata"]


def test_the_seeds_example(run: Any, store: Any) -> None:
    content, metadata = spoken(run, store, emotion="mysterious", pace="normal", background_noise="rain_ambience")
    with av.open(io.BytesIO(content)) as container:
        assert container.format.name == "mp3"
        assert b"algorithmicMedia" in content[:4096]
    sound = decoded(content)
    assert sound.shape[1] / RATE == pytest.approx(metadata["duration"], abs=0.1)
    assert metadata["sample_rate"] == RATE
    assert metadata["channels"] == 2
    assert loudness(sound) == pytest.approx(-16, abs=0.7)
    assert loudness(sound) == pytest.approx(metadata["loudness_lufs"], abs=0.5)
    assert float(np.abs(sound).max()) < 1.0
    assert metadata["warnings"] == []


def test_speech_is_in_the_band_of_speech_and_has_pauses(run: Any, store: Any) -> None:
    content, _ = spoken(run, store, text="Stop. Wait there, my friend.", format="wav")
    sound = decoded(content)[0]
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(sound.size, 1 / RATE)
    assert power[(frequency > 80) & (frequency < 4000)].sum() > 0.8 * power.sum()
    level = np.abs(sound[: sound.size // 2400 * 2400]).reshape(-1, 2400).max(axis=1)
    assert (level > 0.1).mean() > 0.3
    assert (level < 0.01).mean() > 0.1


def test_wav_is_a_wav_with_its_origin(run: Any, store: Any) -> None:
    content, metadata = spoken(run, store, format="wav")
    assert content[:4] == b"RIFF"
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert b"algorithmicMedia" in content
    assert decoded(content).shape[1] == pytest.approx(metadata["duration"] * RATE, abs=RATE / 1000)


def test_equal_requests_sound_equal(run: Any, store: Any) -> None:
    first, _ = spoken(run, store, background_noise="wind")
    store.results.clear()
    store.objects.clear()
    again, _ = spoken(run, store, background_noise="wind")
    assert first == again


def test_pace_changes_the_duration(start: Any, store: Any) -> None:
    jobs = [start("process_audio", LINE | {"pace": pace}) for pace in ("slow", "fast")]
    slow, fast = (job.wait().words for job in jobs)
    durations = [words.result.metadata["duration"] for words in (slow, fast) if words.result]
    assert durations == sorted(durations, reverse=True)


def test_the_voice_profile_is_fetched_and_its_pitch_followed(run: Any, store: Any) -> None:
    from pathlib import Path

    from mediatask_job.outputs.provenance import Source
    from mediatask_job.sound.encode import save_sound

    time = np.arange(2 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 210 * harmonic * time) / harmonic for harmonic in range(1, 12))
    profile = np.asarray(voice, np.float32) / 4
    save_sound([np.stack([profile, profile])], Path(store.folder / "voice.wav"), "wav", "", Source.ALGORITHM)
    _, metadata = spoken(run, store, character_voice_profile=f"{store.url}/inputs/voice.wav")
    assert store.input_requests == ["voice.wav"]
    assert metadata["voice_profile_pitch_hz"] == pytest.approx(210, abs=5)
    assert metadata["voice"] == "en-us+f2"
    assert any("timbre" in warning for warning in metadata["warnings"])


def test_what_is_not_known_is_warned_of(run: Any, store: Any) -> None:
    _, metadata = spoken(run, store, emotion="purple", background_noise="didgeridoo", language="en-GB")
    said = " ".join(metadata["warnings"])
    assert "purple" in said
    assert "didgeridoo" in said
    assert metadata["voice"] == "en"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"language": "tlh"}, "UnsupportedLanguage"),
        ({"text": "..."}, "NothingToSay"),
        ({"text": "\x01\x02"}, "NothingToSay"),
    ],
)
def test_what_cannot_be_spoken_is_refused(run: Any, data: dict[str, Any], code: str) -> None:
    ended = run("process_audio", LINE | data)
    assert ended.code == 10, ended.log
    assert ended.words.error.code == code


def test_a_model_that_cannot_be_used_is_refused(run: Any) -> None:
    ended = run("process_audio", LINE, model={"hub": "org/a-voice"})
    assert ended.code == 12
    assert "org/a-voice" in ended.words.error.message


def test_a_countrys_tag_is_no_reason_for_a_warning(run: Any, store: Any) -> None:
    _, metadata = spoken(run, store, language="de-DE")
    assert metadata["voice"] == "de"
    assert metadata["warnings"] == []


def test_a_long_text_needs_no_more_memory_than_a_short_one(run: Any, store: Any, print_peak: str) -> None:
    """Six minutes of stereo are 130 MB, of which whole copies used to be made at every step."""
    peaks = []
    for words in (20, 900):
        ended = run("process_audio", {"text": "word " * words, "background_noise": "rain"}, setup=print_peak, cold=True)
        assert ended.code == 0, ended.log
        peaks.append(int(ended.log.split("peak ")[1]) // 1024)
    assert peaks[1] < peaks[0] + 250, peaks
    assert peaks[1] < 600, peaks
