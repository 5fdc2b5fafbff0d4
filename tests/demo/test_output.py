"""The demo's files are real media of what was asked, and its webhooks verify with an independent library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from standardwebhooks.webhooks import Webhook

TYPES = {"generate_image", "generate_video", "process_audio", "test_prompt"}


def find(out: Path, pattern: str) -> Path:
    (found,) = out.glob(pattern)
    return found


def samples(path: Path) -> tuple[np.ndarray, int]:
    """Mono samples -1..1 and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16000)
        parts = [
            frame.to_ndarray().ravel() for decoded in container.decode(stream) for frame in resampler.resample(decoded)
        ]
    return np.concatenate(parts), 16000


def test_every_task_completed(tasks: dict[str, dict[str, Any]]) -> None:
    assert set(tasks) == TYPES
    for kind, task in tasks.items():
        assert (task["status"], task["progress"], task["error"]) == ("completed", 1.0, None), kind
        assert task["result"]["media_url"].startswith("http")
        assert task["started_at"] <= task["completed_at"]


def test_the_picture_decodes_at_the_size_asked(out: Path, tasks: dict[str, dict[str, Any]]) -> None:
    metadata = tasks["generate_image"]["result"]["metadata"]
    with Image.open(find(out, "image.*")) as picture:
        picture.load()
        assert picture.size == (metadata["width"], metadata["height"]) == (1024, 1024)
        assert np.asarray(picture.convert("L")).std() > 5, "not one flat colour"


def test_the_picture_is_the_film_noir_that_its_prompt_asks_for(out: Path, tasks: dict[str, dict[str, Any]]) -> None:
    """Dim, hardly coloured, and lit: not noise, which is as bright as it is dark and the same everywhere."""
    metadata = tasks["generate_image"]["result"]["metadata"]
    assert (metadata["model"], metadata["prompt"].startswith("Detective in 1920s noir")) == ("demo-image", True)
    with Image.open(find(out, "image.*")) as picture:
        small = np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BOX), float)
    light = small.mean(axis=2)
    assert light.mean() < 110
    assert np.ptp(small, axis=2).mean() < 40
    assert light.std() > 15, "large areas differ"
    assert np.abs(np.diff(light, axis=0)).mean() < 0.7 * light.std(), "neighbours are alike"


def test_the_film_is_dark_as_its_scene_asks(out: Path) -> None:
    with av.open(str(out / "video.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)][::12]
    assert np.mean(frames) < 100


def test_the_film_has_h264_and_aac_of_the_length_and_rate_asked(out: Path, tasks: dict[str, dict[str, Any]]) -> None:
    metadata = tasks["generate_video"]["result"]["metadata"]
    with av.open(str(out / "video.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        frames = sum(1 for _ in container.decode(video))
        assert video.average_rate == metadata["fps"] == 24
        assert frames / 24 == pytest.approx(7.0, abs=0.1)
        assert container.duration / av.time_base == pytest.approx(7.0, abs=0.1)
        assert f"{video.width}x{video.height}" == metadata["resolution"]


def test_the_film_moves_and_sounds(out: Path) -> None:
    with av.open(str(out / "video.mp4")) as container:
        frames = [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]
    assert np.abs(frames[-1] - frames[0]).mean() > 3
    sound, _ = samples(out / "video.mp4")
    assert np.sqrt((sound**2).mean()) > 1e-3


def test_the_voice_speaks_for_as_long_as_its_text_takes(out: Path, tasks: dict[str, dict[str, Any]]) -> None:
    """Seven words: two to six seconds, with the energy where speech has it and pauses between the words."""
    metadata = tasks["process_audio"]["result"]["metadata"]
    sound, rate = samples(find(out, "audio.*"))
    assert 1.5 <= len(sound) / rate <= 8
    assert len(sound) / rate == pytest.approx(metadata["duration"], abs=0.2)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / rate)
    voice = spectrum[(frequency > 80) & (frequency < 4000)].sum()
    assert voice / spectrum.sum() > 0.5
    loudness = np.sqrt((sound[: len(sound) // 400 * 400].reshape(-1, 400) ** 2).mean(axis=1))
    assert loudness.max() > 8 * np.percentile(loudness, 10), "syllables and pauses, not a steady noise"
    assert metadata["loudness_lufs"] == pytest.approx(-16, abs=1)


def test_the_prompt_was_filled_and_run(out: Path, tasks: dict[str, dict[str, Any]]) -> None:
    result = json.loads((out / "prompt.json").read_text())
    metadata = tasks["test_prompt"]["result"]["metadata"]
    assert metadata["tokens_used"] > 0
    assert metadata["processing_time"] > 0
    assert metadata["output_data"]
    assert "{{" not in json.dumps(result)


def test_the_inputs_were_fetched(tasks: dict[str, dict[str, Any]]) -> None:
    for kind in ("generate_image", "generate_video", "process_audio"):
        warnings = " ".join(map(str, tasks[kind]["result"]["metadata"]["warnings"]))
        assert "skipped" not in warnings, warnings


def test_one_terminal_webhook_each_that_an_independent_library_verifies(
    out: Path, webhooks: list[dict[str, Any]], tasks: dict[str, dict[str, Any]]
) -> None:
    secret = json.loads((out / "webhook-secret.json").read_text())["secret"]
    terminal = [hook for hook in webhooks if hook["body"]["type"] == "task.completed"]
    assert {hook["body"]["task_id"] for hook in terminal} == {task["task_id"] for task in tasks.values()}
    assert len({hook["headers"]["webhook-id"] for hook in terminal}) == len(terminal) == 4
    for hook in terminal:
        body = Webhook(secret).verify(hook["raw"], hook["headers"])
        assert body == hook["body"]
        assert body["result"]["media_url"].startswith("http")


def test_a_changed_webhook_does_not_verify(out: Path, webhooks: list[dict[str, Any]]) -> None:
    secret = json.loads((out / "webhook-secret.json").read_text())["secret"]
    with pytest.raises(Exception, match="signature"):
        Webhook(secret).verify(webhooks[0]["raw"].replace("completed", "failed"), webhooks[0]["headers"])
