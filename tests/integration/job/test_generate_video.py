"""`generate_video` through the job: the file is decoded again."""

from __future__ import annotations

import io
import time
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

SCENE = {
    "scene_description": "Detective enters the dark alley",
    "camera_angle": "wide_shot",
    "lighting": "noir_dramatic",
    "character_positions": ["detective_center"],
    "audio_cues": ["footsteps", "rain_ambience"],
}
SMALL = {"width": 256, "height": 144, "duration": 2.5, "fps": 12}


def stills(store: Any, count: int = 2) -> list[str]:
    for number in range(count):
        image = Image.linear_gradient("L").rotate(90 * number).resize((640, 360))
        Image.merge("RGB", [image, image.point(lambda v: 255 - v), image]).save(store.folder / f"{number}.jpg")
    return [f"{store.url}/inputs/{number}.jpg" for number in range(count)]


def filmed(run: Any, store: Any, data: dict[str, Any], **spec: Any) -> tuple[bytes, dict[str, Any]]:
    ended = run("generate_video", data, **spec)
    assert ended.code == 0, ended.log
    result = store.results[-1]["result"]
    return store.objects[result["artifacts"][0]["key"]], result["metadata"]


def check_file(content: bytes, width: int, height: int, fps: int, duration: float) -> list[Any]:
    """The promised form; gives the frames as arrays."""
    assert content.index(b"moov") < content.index(b"mdat"), "the index must come first"
    with av.open(io.BytesIO(content)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (width, height, fps)
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1), "BT.709, limited"
        assert audio.codec_context.name == "aac"
        assert float(video.duration * video.time_base) == pytest.approx(duration, abs=0.1)
        assert float(audio.duration * audio.time_base) == pytest.approx(duration, abs=0.1)
        assert container.duration / av.time_base == pytest.approx(duration, abs=0.1)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == round(duration * fps)
    return frames


def sound_of(content: bytes) -> Any:
    with av.open(io.BytesIO(content)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def test_a_storyboard_becomes_a_film_with_sound(run: Any, store: Any) -> None:
    content, metadata = filmed(run, store, SCENE | SMALL | {"storyboard_images": stills(store)})
    frames = check_file(content, 256, 144, 12, 2.5)
    assert np.abs(frames[0].astype(int) - frames[10]).mean() > 0.5, "nothing moves"
    assert np.ptp(frames[5].reshape(-1, 3).astype(int), axis=1).mean() < 40, "noir has little colour"
    assert np.abs(sound_of(content)).max() > 0.02
    assert b"compositeSynthetic" in content
    assert metadata["resolution"] == "256x144"
    assert (metadata["duration"], metadata["fps"], metadata["stills"]) == (2.5, 12, 2)
    assert metadata["file_size"] == len(content)
    [warning] = metadata["warnings"]
    assert "character_positions" in warning


def test_rendering_and_encoding_are_told_apart(run: Any, store: Any) -> None:
    filmed(run, store, SCENE | SMALL | {"storyboard_images": stills(store)})
    timings = store.results[-1]["result"]["timings"]
    assert timings["render"] > 0
    assert timings["encode"] > 0


def test_of_a_portrait_most_is_seen_and_a_warning_says_what_is_not(run: Any, store: Any) -> None:
    rows = np.zeros((400, 200, 3), np.uint8)
    rows[:80], rows[80:300], rows[300:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    lying = Image.fromarray(rows).rotate(90, expand=True)
    lying.save(store.folder / "portrait.png", exif=_turned())
    lying.rotate(0).save(store.folder / "landscape.png")
    data = SMALL | {"scene_description": "x", "camera_angle": "static"}
    urls = [f"{store.url}/inputs/landscape.png", f"{store.url}/inputs/portrait.png"]
    content, metadata = filmed(run, store, data | {"storyboard_images": urls})
    last = check_file(content, 256, 144, 12, 2.5)[-1].astype(int)
    assert last[3, 128].argmax() == 0, "the top of the portrait"
    assert last[-4, 128].argmax() == 2, "its bottom"
    assert last[72, 128, 1] > 200
    assert 60 < last[72, 5, 1] < 180, "a darker copy in the margins"
    [warning] = metadata["warnings"]
    assert warning.startswith("storyboard picture 2: ")


def _turned() -> Image.Exif:
    """The mark of a camera that was held upright: the stored picture is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_without_pictures_the_stills_are_drawn(run: Any, store: Any) -> None:
    content, metadata = filmed(run, store, SCENE | SMALL | {"seed": 5}, model={"builtin": "tiny-image"})
    check_file(content, 256, 144, 12, 2.5)
    assert metadata["model"] == "tiny-image"
    assert metadata["seed"] == 5
    assert b"trainedAlgorithmicMedia" in content


@pytest.mark.parametrize(("model", "mode"), [("tiny-image", "storyboard"), ("tiny-video", "diffusion")])
def test_light_is_asked_of_the_model_and_not_laid_on_its_pictures_again(
    run: Any, store: Any, model: str, mode: str
) -> None:
    data = SMALL | {"scene_description": "x", "lighting": "noir_dramatic", "duration": 1, "seed": 5}
    content, metadata = filmed(run, store, data, model={"builtin": model}, parameters={"mode": mode})
    frame = check_file(content, 256, 144, 12, 1)[5].astype(int)
    assert np.ptp(frame.reshape(-1, 3), axis=1).mean() > 40, "random weights draw colours, which noir would take away"
    corners = [frame[y, x].mean() for y in (4, -5) for x in (4, -5)]
    assert max(corners) > 60
    assert not any("lighting" in warning for warning in metadata["warnings"])


def test_drawn_stills_follow_the_description(run: Any, store: Any) -> None:
    def brightness(hour: str) -> float:
        data = SMALL | {"scene_description": f"a red car in the city, {hour}", "duration": 1, "seed": 5}
        content, metadata = filmed(run, store, data, model={"builtin": "demo-image"}, parameters={"steps": 6})
        assert (metadata["model"], metadata["stills"]) == ("demo-image", 1)
        store.results.clear()
        store.objects.clear()
        return float(np.mean(check_file(content, 256, 144, 12, 1)))

    assert brightness("night") < brightness("day") - 40


def test_a_video_model_draws_the_clip(run: Any, store: Any) -> None:
    content, metadata = filmed(
        run, store, SCENE | SMALL | {"seed": 5}, model={"builtin": "tiny-video"}, parameters={"mode": "diffusion"}
    )
    check_file(content, 256, 144, 12, 2.5)
    assert metadata["mode"] == "diffusion"
    assert metadata["model"] == "tiny-video"
    assert metadata["model_frames"] % 4 == 1


def test_equal_seeds_film_equal_pictures(run: Any, store: Any) -> None:
    data = SCENE | SMALL | {"storyboard_images": stills(store), "seed": 3}
    first, _ = filmed(run, store, data)
    store.results.clear()
    store.objects.clear()
    again, _ = filmed(run, store, data)
    assert first == again


def test_without_known_cues_the_film_is_silent(run: Any, store: Any) -> None:
    data = SMALL | {"scene_description": "x", "storyboard_images": stills(store, 1), "audio_cues": ["didgeridoo"]}
    content, metadata = filmed(run, store, data | {"camera_angle": "sideways", "lighting": "antimatter"})
    assert np.abs(sound_of(content)).max() < 1e-3
    said = " ".join(metadata["warnings"])
    assert all(word in said for word in ("didgeridoo", "sideways", "antimatter"))


def test_seven_seconds_of_720p_are_quick_and_small_in_memory(run: Any, store: Any, print_peak: str) -> None:
    began = time.monotonic()
    ended = run("generate_video", SCENE | {"storyboard_images": stills(store, 3)}, setup=print_peak, cold=True)
    seconds = time.monotonic() - began
    assert ended.code == 0, ended.log
    check_file(store.objects["projects/p/uid/1/video.mp4"], 1280, 720, 24, 7.0)
    assert int(ended.log.split("peak ")[1]) < 600 * 1024
    assert seconds < 40, f"{seconds:.1f} s; 10 s are usual, 20 s the goal on an idle machine"


def test_more_frames_than_a_class_allows_are_refused_before_anything_is_fetched(run: Any, store: Any) -> None:
    longest = SCENE | {"duration": 60, "fps": 60, "width": 4096, "height": 4096, "storyboard_images": stills(store)}
    ended = run("generate_video", longest)
    assert ended.code == 10
    assert ended.words.error.code == "TooManyPixels"
    assert "3600 frames of 4096x4096" in ended.words.error.message
    assert store.input_requests == []


def test_the_end_of_a_long_description_counts_for_a_video_model(run: Any, store: Any) -> None:
    """The tiny model's tokens are bytes; of the big one's 512 half were cut off."""
    asked = {"width": 64, "height": 64, "duration": 0.5, "fps": 4, "seed": 1}
    films = [
        filmed(run, store, asked | {"scene_description": "x" * 300 + end}, model={"builtin": "tiny-video"},
               parameters={"mode": "diffusion", "steps": 1})[0]
        for end in ("a", "b")
        if not store.results.clear() and not store.objects.clear()  # type: ignore[func-returns-value]
    ]  # fmt: skip
    frames = [check_file(film, 64, 64, 4, 0.5)[0].astype(int) for film in films]
    assert np.abs(frames[0] - frames[1]).max() > 0
