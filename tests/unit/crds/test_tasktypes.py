"""Task data: the seeds' requests are accepted, anything else is refused with the field named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mediatask_crds.names import label_value
from mediatask_crds.tasktypes import TaskData, UnknownTaskType, input_urls, task_type, task_types
from mediatask_crds.tasktypes.base import InputUrl, InputUrls

SEEDS: list[tuple[str, dict[str, Any]]] = [
    (
        "generate_video",
        {
            "storyboard_images": ["https://example.com/frame1.jpg", "https://example.com/frame2.jpg"],
            "scene_description": "Detective enters the dark alley",
            "camera_angle": "wide_shot",
            "lighting": "noir_dramatic",
            "character_positions": ["detective_center"],
            "audio_cues": ["footsteps", "rain_ambience"],
        },
    ),
    (
        "generate_image",
        {
            "character_description": "Detective in 1920s noir style",
            "style_guide": "https://example.com/noir_style_guide.jpg",
            "reference_images": ["https://example.com/ref1.jpg", "https://example.com/ref2.jpg"],
            "pose": "standing_confident",
            "lighting": "dramatic_shadow",
        },
    ),
    (
        "process_audio",
        {
            "text": "I have been expecting you, detective.",
            "character_voice_profile": "https://example.com/detective_voice.wav",
            "emotion": "mysterious",
            "pace": "normal",
            "background_noise": "rain_ambience",
        },
    ),
    (
        "test_prompt",
        {
            "prompt_id": "prompt_uuid",
            "prompt_template": "{{BAML_template}}",
            "agent_type": "character_creator",
            "test_parameters": {"BAML_template": "x"},
            "test_result_id": "test_result_uuid",
        },
    ),
]


@pytest.mark.parametrize(("name", "data"), SEEDS, ids=[name for name, _ in SEEDS])
def test_requests_of_the_platform_are_accepted(name: str, data: dict[str, Any]) -> None:
    model = task_type(name).model_validate(data)
    assert model.model_dump(exclude_unset=True) == data


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("generate_image", {"character_description": "x", "widht": 512}, "widht"),
        ("generate_image", {"character_description": "x", "width": 511}, "width"),
        ("generate_image", {"character_description": "x", "width": 100_000}, "width"),
        ("generate_image", {"character_description": "x", "seed": -1}, "seed"),
        ("generate_image", {"character_description": "x", "style_guide": "file:///etc/passwd"}, "style_guide"),
        ("generate_video", {"camera_angle": "wide_shot"}, "scene_description"),
        ("generate_video", {"scene_description": "x", "duration": 3600}, "duration"),
        ("process_audio", {"text": ""}, "text"),
        ("process_audio", {"text": "x", "format": "exe"}, "format"),
        ("test_prompt", {"prompt_template": "x", "test_parameters": [1]}, "test_parameters"),
    ],
)
def test_bad_data_is_refused_with_the_field_named(name: str, data: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as error:
        task_type(name).model_validate(data)
    assert field in {str(part) for entry in error.value.errors() for part in entry["loc"]}


def test_prompt_is_an_alias_of_character_description() -> None:
    kind = task_type("generate_image")
    assert kind.model_validate({"prompt": "a lighthouse"}).description == "a lighthouse"  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="is required"):
        kind.model_validate({})
    with pytest.raises(ValidationError, match="two different"):
        kind.model_validate({"prompt": "a", "character_description": "b"})


def test_every_input_of_a_request_is_found_with_its_place() -> None:
    found = {name: dict(input_urls(task_type(name).model_validate(data))) for name, data in SEEDS}
    assert found == {
        "generate_video": {
            ("storyboard_images", 0): "https://example.com/frame1.jpg",
            ("storyboard_images", 1): "https://example.com/frame2.jpg",
        },
        "generate_image": {
            ("style_guide",): "https://example.com/noir_style_guide.jpg",
            ("reference_images", 0): "https://example.com/ref1.jpg",
            ("reference_images", 1): "https://example.com/ref2.jpg",
        },
        "process_audio": {("character_voice_profile",): "https://example.com/detective_voice.wav"},
        "test_prompt": {},
    }


def test_inputs_of_an_installed_type_are_found_however_deep() -> None:
    class Layer(BaseModel):
        picture: InputUrl
        caption: str = "https://not.an.input/"

    class Collage(TaskData):
        cover: InputUrl
        mask: InputUrl | None = None
        layers: list[Layer] = []
        masks: dict[str, InputUrls] = {}

    url = "https://example.com/x"
    given = Collage(cover=url, layers=[Layer(picture=url + "1")], masks={"sky": [url + "2"]})
    assert dict(input_urls(given)) == {
        ("cover",): url,
        ("layers", 0, "picture"): url + "1",
        ("masks", "sky", 0): url + "2",
    }


def test_unknown_type_lists_those_there_are() -> None:
    with pytest.raises(UnknownTaskType, match="generate_image, generate_video"):
        task_type("compose_symphony")


def test_every_type_describes_itself() -> None:
    for name, kind in task_types().items():
        schema = kind.model_json_schema()
        assert kind.type_name == name
        assert all("description" in field for field in schema["properties"].values()), name


@given(st.text(max_size=200))
def test_any_text_becomes_a_valid_label_value(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert label_value(value) == value


@given(st.text(min_size=64, max_size=200), st.text(min_size=64, max_size=200))
def test_long_texts_keep_apart_as_labels(a: str, b: str) -> None:
    assert (label_value(a) == label_value(b)) == (a == b)
