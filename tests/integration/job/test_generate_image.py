"""`generate_image` through the job."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

MODEL = {"builtin": "tiny-image"}
DETECTIVE = {"character_description": "Detective in 1920s noir style", "seed": 7, "width": 256, "height": 192}


def drawn(run: Any, store: Any, data: dict[str, Any], **spec: Any) -> tuple[list[bytes], dict[str, Any]]:
    store.results.clear()
    store.objects.clear()
    ended = run("generate_image", DETECTIVE | data, **({"model": MODEL} | spec))
    assert ended.code == 0, ended.log
    result = store.results[-1]["result"]
    return [store.objects[artifact["key"]] for artifact in result["artifacts"]], result["metadata"]


def test_the_picture_and_its_facts(run: Any, store: Any) -> None:
    [content], metadata = drawn(run, store, {"pose": "standing_confident", "lighting": "dramatic_shadow"})
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (256, 192))
        assert "standing confident" in image.getexif()[0x010E]
    promised = {"width": 256, "height": 192, "seed": 7, "model": "tiny-image", "steps": 4, "file_size": len(content)}
    assert promised.items() <= metadata.items()
    assert metadata["dtype"] == "float32"
    assert metadata["versions"].keys() >= {"torch", "diffusers", "transformers", "python"}
    assert metadata["warnings"] == []


def test_equal_seeds_give_equal_bytes_and_others_do_not(run: Any, store: Any) -> None:
    several, metadata = drawn(run, store, {"num_images": 2})
    assert several[0] != several[1]
    assert [image["seed"] for image in metadata["images"]] == [7, 8]
    assert [image["file_size"] for image in metadata["images"]] == [len(content) for content in several]
    [alone], _ = drawn(run, store, {"seed": 8})
    assert alone == several[1]


def test_a_seed_is_chosen_and_told_and_guidance_makes_negative_prompts_count(run: Any, store: Any) -> None:
    data = {"seed": None, "format": "png", "steps": 2, "negative_prompt": "rain"}
    _, metadata = drawn(run, store, data, parameters={"guidanceScale": 3.0, "steps": 9, "previewSeconds": 0})
    assert isinstance(metadata["seed"], int)
    assert metadata["steps"] == 2
    assert metadata["warnings"] == []
    assert not store.previews, "the class wants none"


def test_what_a_style_guide_can_do_and_what_the_model_cannot(run: Any, store: Any) -> None:
    Image.new("RGB", (64, 64), (90, 20, 10)).save(store.folder / "red.png")
    guide = f"{store.url}/inputs/red.png"
    [styled], metadata = drawn(
        run, store, {"style_guide": guide, "reference_images": [guide], "negative_prompt": "rain"}
    )
    assert store.input_requests == ["red.png"]  # once, although it is wanted twice
    red, green, blue = np.asarray(Image.open(io.BytesIO(styled)), float).reshape(-1, 3).mean(axis=0)
    assert red > green + 20
    assert red > blue + 20
    said = " ".join(metadata["warnings"])
    assert "reference_images" in said
    assert "negative_prompt" in said


def test_the_shipped_model_draws_what_is_asked(run: Any, store: Any) -> None:
    """Through its up-scaler; by night darker than by day, equal seeds equal. In few steps, for the test's sake."""

    def picture(words: str) -> tuple[bytes, dict[str, Any], float]:
        asked = {"character_description": f"a white house by the sea, {words}", "width": 320, "steps": 6}
        [content], metadata = drawn(run, store, asked, model={"builtin": "demo-image"})
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (320, 192)
            return content, metadata, float(np.asarray(image.convert("L"), float).mean())

    content, metadata, by_day = picture("clear day")
    assert (metadata["model"], metadata["steps"], metadata["warnings"]) == ("demo-image", 6, [])
    assert len(metadata["revision"]) == 12
    assert picture("clear day")[0] == content
    _, metadata, by_night = picture("clear night, with a cat")
    assert metadata["warnings"] == ["demo-image does not know: cat"]
    assert by_night < by_day - 50


def test_steps_are_named_for_what_is_done(run: Any, store: Any) -> None:
    asked = DETECTIVE | {"width": 320, "steps": 1}
    ended = run("generate_image", asked, model={"builtin": "demo-image"})
    assert ended.code == 0, ended.log
    steps = ["importing_libraries", "loading_model", "generating_image", "upscaling", "encoding", "uploading"]
    assert [step for step in steps if step in ended.log] == steps
    timings = ended.words.result.timings
    assert timings["import"] > 0
    assert timings["load"] > 0


def test_more_pixels_than_the_class_allows_are_refused_at_once(run: Any, store: Any) -> None:
    asked = DETECTIVE | {"num_images": 8, "width": 4096, "height": 4096, "style_guide": f"{store.url}/inputs/x.png"}
    ended = run("generate_image", asked, model=MODEL, parameters={"maxPixels": 10**8})
    assert ended.code == 10
    assert "maxPixels" in ended.words.error.message
    assert store.input_requests == []
